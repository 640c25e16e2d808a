//! Lines of standard input, read by a thread of its own: a read of a terminal or a pipe cannot be
//! given up. At most a few thousand lines are read ahead.

use std::io::{self, BufRead, Read};

use tokio::sync::mpsc;

/// Groups of lines that may wait.
const GROUPS_MAX: usize = 16;
/// The most lines of a group.
const GROUP_LINES_MAX: usize = 512;

/// A line without its line feed.
pub struct InputLine {
    /// Counted from one.
    pub number: u64,
    /// Its bytes.
    pub line: Vec<u8>,
}

/// How reading goes on after a group.
enum Next {
    Group,
    End,
    Failure(io::Error),
}

/// Starts to read. Lines that have arrived together come together, so that one typed line comes
/// at once. An error is the last that comes.
pub fn input_lines(line_bytes_max: usize) -> mpsc::Receiver<io::Result<Vec<InputLine>>> {
    let (sender, lines) = mpsc::channel(GROUPS_MAX);
    std::thread::spawn(move || {
        let mut input = io::BufReader::with_capacity(256 << 10, io::stdin());
        let mut number = 0;
        loop {
            let (group, next) = read_group(&mut input, &mut number, line_bytes_max);
            if !group.is_empty() && sender.blocking_send(Ok(group)).is_err() {
                return;
            }
            match next {
                Next::Group => {}
                Next::End => return,
                // nobody may be left to hear of it
                Next::Failure(error) => return drop(sender.blocking_send(Err(error))),
            }
        }
    });
    lines
}

/// As many lines as are at hand, at least one unless the input ends.
fn read_group(
    input: &mut io::BufReader<impl Read>,
    number: &mut u64,
    line_bytes_max: usize,
) -> (Vec<InputLine>, Next) {
    let mut group = Vec::new();
    while group.len() < GROUP_LINES_MAX {
        match read_line(input, *number + 1, line_bytes_max) {
            Ok(None) => return (group, Next::End),
            Err(error) => return (group, Next::Failure(error)),
            Ok(Some(line)) => {
                *number += 1;
                group.push(InputLine { number: *number, line });
            }
        }
        // another read might wait
        if !input.buffer().contains(&b'\n') {
            break;
        }
    }
    (group, Next::Group)
}

fn read_line(
    input: &mut impl BufRead,
    number: u64,
    line_bytes_max: usize,
) -> io::Result<Option<Vec<u8>>> {
    let mut line = Vec::new();
    let limit = line_bytes_max as u64 + 1;
    if input.by_ref().take(limit).read_until(b'\n', &mut line)? == 0 {
        return Ok(None);
    }
    if line.last() == Some(&b'\n') {
        line.pop();
    }
    if line.len() > line_bytes_max {
        let reason = format!("line {number} has more than {line_bytes_max} bytes");
        return Err(io::Error::new(io::ErrorKind::InvalidData, reason));
    }
    Ok(Some(line))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(text: &str, line_bytes_max: usize) -> Vec<Result<String, String>> {
        let mut input = io::BufReader::new(text.as_bytes());
        let (mut number, mut all) = (0, Vec::new());
        loop {
            let (group, next) = read_group(&mut input, &mut number, line_bytes_max);
            all.extend(group.into_iter().map(|line| {
                let text = String::from_utf8(line.line).unwrap();
                Ok(format!("{} {text}", line.number))
            }));
            match next {
                Next::Group => {}
                Next::End => return all,
                Next::Failure(error) => {
                    all.push(Err(error.to_string()));
                    return all;
                }
            }
        }
    }

    #[test]
    fn the_last_line_needs_no_line_feed_and_empty_lines_count() {
        let read = lines("a\n\nccc", 10);
        assert_eq!(read, [Ok("1 a".to_owned()), Ok("2 ".to_owned()), Ok("3 ccc".to_owned())]);
        assert!(lines("", 10).is_empty());
    }

    #[test]
    fn a_line_beyond_the_bound_is_refused_before_it_is_read_whole() {
        assert_eq!(lines("abc\n", 3), [Ok("1 abc".to_owned())]);
        let refused = Err("line 1 has more than 3 bytes".to_owned());
        assert_eq!(lines("abcd\n", 3), std::slice::from_ref(&refused));
        let after = [Ok("1 a".to_owned()), Err("line 2 has more than 3 bytes".to_owned())];
        assert_eq!(lines("a\nabcd\nb\n", 3), after, "what came before it counts");
        assert_eq!(lines(&"x".repeat(1 << 20), 3), [refused]);
    }
}
