//! The four fencing numbers. They count different things, so no conversion leads from one to
//! another.

use std::fmt;

use serde::{Deserialize, Serialize};

macro_rules! epoch {
    ($(#[$doc:meta])* $name:ident, $inner:ty) => {
        $(#[$doc])*
        #[derive(
            Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
        )]
        pub struct $name($inner);

        impl $name {
            /// What the wire says where the sender knows no such number.
            pub const UNKNOWN: Self = Self(-1);
            /// The first number given out.
            pub const ZERO: Self = Self(0);

            /// The number as the wire gives it; −1 means unknown.
            #[must_use]
            pub const fn new(value: $inner) -> Self {
                Self(value)
            }

            /// The number on the wire.
            #[must_use]
            pub const fn value(self) -> $inner {
                self.0
            }

            /// The number that follows.
            #[must_use]
            pub const fn next(self) -> Self {
                Self(self.0 + 1)
            }

            /// Whether the sender knew the number.
            #[must_use]
            pub const fn is_known(self) -> bool {
                self.0 >= 0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(formatter)
            }
        }
    };
}

epoch!(
    /// The number of a leadership of one partition (KIP-101): raised at every election.
    LeaderEpoch,
    i32
);
epoch!(
    /// The number of one registration of a broker (KIP-631): every process start gets a new one.
    BrokerEpoch,
    i64
);
epoch!(
    /// The number of a controller's term (KIP-500).
    ControllerEpoch,
    i32
);
epoch!(
    /// The number of a membership round of a classic consumer group.
    Generation,
    i32
);
