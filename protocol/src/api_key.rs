//! The APIs that this program speaks, by number and name (source: Kafka's protocol page).

use std::fmt;

macro_rules! api_keys {
    ($($code:literal $name:ident,)*) => {
        /// An API of the protocol. What each does is said on Kafka's protocol page.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[repr(i16)]
        #[allow(missing_docs, reason = "the names are the protocol's own")]
        pub enum ApiKey {
            $($name = $code,)*
        }

        impl ApiKey {
            /// Every API, in the order of the numbers.
            pub const ALL: &[Self] = &[$(Self::$name,)*];

            /// The API that a number on the wire stands for; `None` if it is none of ours.
            #[must_use]
            pub const fn from_code(code: i16) -> Option<Self> {
                match code {
                    $($code => Some(Self::$name),)*
                    _ => None,
                }
            }

            /// Kafka's name of the API.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$name => stringify!($name),)*
                }
            }
        }
    };
}

api_keys! {
    0 Produce,
    1 Fetch,
    2 ListOffsets,
    3 Metadata,
    8 OffsetCommit,
    9 OffsetFetch,
    10 FindCoordinator,
    11 JoinGroup,
    12 Heartbeat,
    13 LeaveGroup,
    14 SyncGroup,
    15 DescribeGroups,
    16 ListGroups,
    18 ApiVersions,
    19 CreateTopics,
    20 DeleteTopics,
    21 DeleteRecords,
    22 InitProducerId,
    23 OffsetForLeaderEpoch,
    32 DescribeConfigs,
    33 AlterConfigs,
    37 CreatePartitions,
    42 DeleteGroups,
    43 ElectLeaders,
    44 IncrementalAlterConfigs,
    45 AlterPartitionReassignments,
    46 ListPartitionReassignments,
    47 OffsetDelete,
    55 DescribeQuorum,
    60 DescribeCluster,
    64 UnregisterBroker,
    75 DescribeTopicPartitions,
    80 AddRaftVoter,
    81 RemoveRaftVoter,
}

impl ApiKey {
    /// The number on the wire.
    #[must_use]
    pub const fn code(self) -> i16 {
        self as i16
    }
}

impl fmt::Display for ApiKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}
