use super::*;

const BYTES_PER_TICK: u64 = 1000;

fn outstanding() -> Outstanding {
    Outstanding::new(BYTES_PER_TICK)
}

/// Ticks until the verdict comes, at most so many.
fn ticks_until(verdict: Verdict, outstanding: &mut Outstanding, ticks_max: u32) -> Option<u32> {
    (1..=ticks_max).find(|_| outstanding.on_tick().0 == verdict)
}

#[test]
fn work_that_takes_the_whole_timeout_is_not_over_it() {
    let mut table = outstanding();
    let _ = table.begin(0);
    assert_eq!(ticks_until(Verdict::Hung, &mut table, TICKS_PER_TIMEOUT), None);
    assert_eq!(ticks_until(Verdict::Hung, &mut table, 1), Some(1));
}

#[test]
fn a_hang_is_said_once() {
    let mut table = outstanding();
    let _ = table.begin(0);
    assert!(ticks_until(Verdict::Hung, &mut table, 100).is_some());
    assert_eq!(ticks_until(Verdict::Hung, &mut table, 100), None);
}

#[test]
fn work_after_work_is_no_hang_however_long_it_goes_on() {
    let mut table = outstanding();
    let (mut last, _) = table.begin(0);
    for _ in 0..100 {
        for _ in 0..TICKS_PER_TIMEOUT {
            assert_eq!(table.on_tick().0, Verdict::AsBefore);
        }
        let (next, _) = table.begin(0);
        table.end(last);
        last = next;
    }
}

#[test]
fn one_of_many_that_does_not_end_is_a_hang() {
    let mut table = outstanding();
    let _stuck = table.begin(0);
    let mut said = 0;
    for _ in 0..20 {
        let (other, _) = table.begin(0);
        said += u32::from(table.on_tick().0 == Verdict::Hung);
        table.end(other);
    }
    assert_eq!(said, 1);
}

#[test]
fn a_large_flush_may_take_longer_and_so_may_what_waits_behind_it() {
    let mut table = outstanding();
    let (large, _) = table.begin(5 * BYTES_PER_TICK);
    let _small = table.begin(1);
    assert_eq!(ticks_until(Verdict::Hung, &mut table, TICKS_PER_TIMEOUT + 5), None);
    table.end(large);
    assert_eq!(ticks_until(Verdict::Hung, &mut table, 1), Some(1));
}

#[test]
fn a_disk_answers_again_when_it_has_done_so_for_a_whole_timeout() {
    let mut table = outstanding();
    let (stuck, _) = table.begin(0);
    let _ = ticks_until(Verdict::Hung, &mut table, 100);
    table.end(stuck);
    assert_eq!(ticks_until(Verdict::Answers, &mut table, 100), Some(TICKS_PER_TIMEOUT));
}

#[test]
fn a_disk_that_only_crawls_does_not_count_as_answering() {
    let mut table = outstanding();
    let (mut stuck, _) = table.begin(0);
    let _ = ticks_until(Verdict::Hung, &mut table, 100);
    for _ in 0..20 {
        table.end(stuck);
        (stuck, _) = table.begin(0);
        // each work takes more than half of the timeout
        assert_eq!(ticks_until(Verdict::Answers, &mut table, 5), None);
    }
}

#[test]
fn the_watch_rests_without_work_and_is_woken_once() {
    let mut table = outstanding();
    let (first, must_look) = table.begin(0);
    assert!(must_look);
    let (second, must_look) = table.begin(0);
    assert!(!must_look, "it looks already");
    table.end(first);
    table.end(second);
    assert!(table.on_tick().2, "work began since the last tick");
    assert!(!table.on_tick().2, "nothing to look for");
    assert!(table.begin(0).1, "it rests");
}

#[test]
fn the_watch_of_a_hung_disk_goes_on_when_all_work_has_ended() {
    let mut table = outstanding();
    let (stuck, _) = table.begin(0);
    let _ = ticks_until(Verdict::Hung, &mut table, 100);
    table.end(stuck);
    for _ in 1..TICKS_PER_TIMEOUT {
        assert!(table.on_tick().2);
    }
    assert_eq!(table.on_tick(), (Verdict::Answers, 0, false));
}
