//! The highest number shown so far, at any line of the past.

/// Numbers as they were shown, line by line; only those above all earlier ones are kept.
#[derive(Clone, Default, Debug)]
pub(crate) struct RisingMark {
    marks: Vec<Mark>,
}

/// A number, and the line where it was first shown.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Mark {
    pub line: usize,
    pub number: i64,
}

impl RisingMark {
    /// Something was shown; lines come in rising order.
    pub fn show(&mut self, line: usize, number: i64) {
        if self.marks.last().is_none_or(|mark| mark.number < number) {
            self.marks.push(Mark { line, number });
        }
    }

    /// The highest number shown before that line.
    pub fn before(&self, line: usize) -> Option<Mark> {
        let after = self.marks.partition_point(|mark| mark.line < line);
        self.marks.get(after.checked_sub(1)?).copied()
    }

    /// The first number shown that is above this one.
    pub fn first_above(&self, number: i64) -> Option<Mark> {
        self.marks.get(self.marks.partition_point(|mark| mark.number <= number)).copied()
    }
}

#[cfg(test)]
mod tests {
    //! Somebody asks what was known at a line. An answer from later would accuse the innocent.

    use super::*;

    #[test]
    fn only_what_was_shown_before_counts() {
        let mut mark = RisingMark::default();
        for (line, number) in [(2, 5), (4, 3), (6, 9)] {
            mark.show(line, number);
        }
        assert_eq!(mark.before(2), None);
        assert_eq!(mark.before(3), Some(Mark { line: 2, number: 5 }));
        assert_eq!(mark.before(6), Some(Mark { line: 2, number: 5 }));
        assert_eq!(mark.before(7), Some(Mark { line: 6, number: 9 }));
        assert_eq!(mark.first_above(5), Some(Mark { line: 6, number: 9 }));
        assert_eq!(mark.first_above(9), None);
    }
}
