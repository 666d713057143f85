use alacritty_terminal::vte::ansi::Rgb;

/// The colours a program is told when it asks.
#[derive(Debug, Clone, Copy)]
pub struct Colors {
    foreground: Rgb,
    background: Rgb,
}

impl Colors {
    /// From `#rrggbb`; what is missing or not of that form is light grey on black.
    #[must_use]
    pub fn new(foreground: Option<&str>, background: Option<&str>) -> Self {
        let read = |text: &str| {
            let value = u32::from_str_radix(text.strip_prefix('#').filter(|hex| hex.len() == 6)?, 16).ok()?;
            let [_, r, g, b] = value.to_be_bytes();
            Some(Rgb { r, g, b })
        };
        Self {
            foreground: foreground.and_then(read).unwrap_or(Rgb { r: 0xd0, g: 0xd0, b: 0xd0 }),
            background: background.and_then(read).unwrap_or(Rgb { r: 0, g: 0, b: 0 }),
        }
    }

    /// The colour of an index as the emulator counts them: 0 to 255 the palette of xterm, then
    /// foreground, background and cursor.
    pub(super) fn get(self, index: usize) -> Rgb {
        const CUBE: [u8; 6] = [0, 95, 135, 175, 215, 255];
        const BASE: [u32; 16] = [
            0x0000_0000,
            0x00cd_0000,
            0x0000_cd00,
            0x00cd_cd00,
            0x0000_00ee,
            0x00cd_00cd,
            0x0000_cdcd,
            0x00e5_e5e5,
            0x007f_7f7f,
            0x00ff_0000,
            0x0000_ff00,
            0x00ff_ff00,
            0x005c_5cff,
            0x00ff_00ff,
            0x0000_ffff,
            0x00ff_ffff,
        ];
        match u8::try_from(index) {
            Ok(base) if base < 16 => {
                let [_, r, g, b] = BASE[index].to_be_bytes();
                Rgb { r, g, b }
            }
            Ok(cube) if cube < 232 => {
                let cube = usize::from(cube - 16);
                Rgb { r: CUBE[cube / 36], g: CUBE[cube / 6 % 6], b: CUBE[cube % 6] }
            }
            Ok(grey) => {
                let level = 8 + (grey - 232) * 10;
                Rgb { r: level, g: level, b: level }
            }
            Err(_) if index == 257 => self.background,
            Err(_) => self.foreground,
        }
    }
}

impl Default for Colors {
    fn default() -> Self {
        Self::new(None, None)
    }
}
