//! The methods, by what they are about. Each is a type that owns its name, its parameters and its answer.

/// Ties a method's name, access and scope to its parameters and its answer, with the rules of its calls that are not
/// the trait's.
macro_rules! method {
    ($(#[doc = $doc:literal])* $method:ident = $name:literal, $access:ident $scope:ident, $params:ty => $reply:ty $({ $($rule:tt)* })?) => {
        $(#[doc = $doc])*
        #[derive(Debug, Clone, Copy)]
        pub enum $method {}

        impl $crate::protocol::Method for $method {
            const NAME: &'static str = $name;
            const ABOUT: &'static str = concat!($($doc),*);
            const ACCESS: $crate::protocol::Access = $crate::protocol::Access::$access;
            const SCOPE: $crate::protocol::Scope = $crate::protocol::Scope::$scope;
            $($($rule)*)?
            type Params = $params;
            type Reply = $reply;
        }
    };
}

mod agent;
mod connect;
mod daemon;
mod follow;
mod health;
mod history;
mod kill;
mod lines;
mod run;
mod send;
mod sessions;
mod settings;
mod snapshot;
mod template;
mod terminal;
mod view;
mod wait;

pub use agent::*;
pub use connect::*;
pub use daemon::*;
pub use follow::*;
pub use health::*;
pub use history::*;
pub use kill::*;
pub use lines::*;
pub use run::*;
pub use send::*;
pub use sessions::*;
pub use settings::*;
pub use snapshot::*;
pub use template::*;
pub use terminal::*;
pub use view::*;
pub use wait::*;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::RunId;

/// No parameters, or nothing to answer.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
pub struct Empty {}

/// Parameters that name one run.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct RunTarget {
    /// The run.
    pub run_id: RunId,
}
