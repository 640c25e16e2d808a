//! Pure: which segments may go, by start offset, size and age. Kafka's rules, in Kafka's order.

use protocol::Offset;

use crate::LogSettings;

/// What the decision needs to know of a segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct SegmentFacts {
    /// The offset after its last record.
    pub(crate) end_offset: Offset,
    /// Bytes of its log file.
    pub(crate) bytes: u64,
    /// The time of its last record, in milliseconds since 1970.
    pub(crate) last_timestamp: i64,
}

/// Where the log stands.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RetentionInput {
    /// The wall clock, in milliseconds since 1970.
    pub(crate) now_ms: i64,
    /// Nothing that is not committed is deleted.
    pub(crate) high_watermark: Offset,
    /// The first offset that is still readable.
    pub(crate) log_start_offset: Offset,
}

/// How many segments from the first on may be deleted. The last of `segments` is the active one;
/// if it is among them, it must be rolled first.
pub(crate) fn segments_to_delete(
    segments: &[SegmentFacts],
    settings: &LogSettings,
    input: RetentionInput,
) -> usize {
    let committed = segments.iter().take_while(|segment| {
        // an empty segment can only be the active one, and there is nothing to delete in it
        segment.bytes > 0 && segment.end_offset <= input.high_watermark
    });
    let candidates = &segments[..committed.count()];
    let mut deleted = count(candidates, |segment| segment.end_offset <= input.log_start_offset);
    if !settings.retention_deletes {
        return deleted;
    }
    if let Some(bytes_max) = settings.retention_bytes {
        let left = &segments[deleted..];
        let bytes: u64 = left.iter().map(|segment| segment.bytes).sum();
        let mut excess = bytes.saturating_sub(bytes_max);
        deleted += count(&candidates[deleted..], |segment| {
            let fits = segment.bytes <= excess;
            excess = excess.saturating_sub(segment.bytes);
            fits
        });
    }
    if let Some(age_max) = settings.retention_ms {
        let too_old =
            |segment: &SegmentFacts| input.now_ms.saturating_sub(segment.last_timestamp) > age_max;
        deleted += count(&candidates[deleted..], too_old);
    }
    deleted
}

fn count(segments: &[SegmentFacts], mut may_go: impl FnMut(&SegmentFacts) -> bool) -> usize {
    segments.iter().take_while(|segment| may_go(segment)).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Segments of ten records and 100 bytes each, the last one active; times 1000, 2000, …
    fn segments(count: i64) -> Vec<SegmentFacts> {
        let facts = |number: i64| SegmentFacts {
            end_offset: Offset::new(number * 10),
            bytes: 100,
            last_timestamp: number * 1_000,
        };
        (1..=count).map(facts).collect()
    }

    fn settings(retention_ms: Option<i64>, retention_bytes: Option<u64>) -> LogSettings {
        LogSettings { retention_ms, retention_bytes, ..LogSettings::default() }
    }

    fn decide(settings: &LogSettings, now_ms: i64, high_watermark: i64, log_start: i64) -> usize {
        let input = RetentionInput {
            now_ms,
            high_watermark: Offset::new(high_watermark),
            log_start_offset: Offset::new(log_start),
        };
        segments_to_delete(&segments(5), settings, input)
    }

    #[test]
    fn segments_below_the_log_start_go_whatever_the_settings() {
        let keep_all = LogSettings { retention_deletes: false, ..settings(Some(0), Some(0)) };
        for (log_start, deleted) in [(0, 0), (9, 0), (10, 1), (29, 2), (50, 5)] {
            assert_eq!(decide(&keep_all, i64::MAX, 50, log_start), deleted, "{log_start}");
        }
    }

    #[test]
    fn the_size_left_is_at_least_what_the_setting_says() {
        for (bytes, deleted) in [(0, 5), (99, 4), (100, 4), (101, 3), (499, 0), (500, 0)] {
            assert_eq!(decide(&settings(None, Some(bytes)), 0, 50, 0), deleted, "{bytes}");
        }
        assert_eq!(decide(&settings(None, Some(250)), 0, 50, 10), 2, "what went is not counted");
    }

    #[test]
    fn segments_go_when_their_last_record_is_too_old() {
        for (now_ms, deleted) in [(1_500, 0), (1_501, 1), (3_500, 2), (5_501, 5)] {
            assert_eq!(decide(&settings(Some(500), None), now_ms, 50, 0), deleted, "{now_ms}");
        }
    }

    #[test]
    fn nothing_uncommitted_and_no_empty_active_segment_goes() {
        assert_eq!(decide(&settings(Some(0), Some(0)), i64::MAX, 29, 50), 2);
        let mut segments = segments(3);
        segments[2] = SegmentFacts { bytes: 0, end_offset: Offset::new(20), ..segments[2] };
        let input = RetentionInput {
            now_ms: i64::MAX,
            high_watermark: Offset::new(20),
            log_start_offset: Offset::new(20),
        };
        assert_eq!(segments_to_delete(&segments, &settings(Some(0), Some(0)), input), 2);
    }
}
