//! Points in time as people write them: `2026-03-01T12:30:00.250Z`. The protocol counts
//! milliseconds since 1970, UTC, without leap seconds.

const DAY_MS: i64 = 86_400_000;

/// The time in UTC, with milliseconds; −1 is what records without a timestamp have.
pub fn format_timestamp(milliseconds: i64) -> String {
    if milliseconds < 0 {
        return "none".to_owned();
    }
    let (days, rest) = (milliseconds.div_euclid(DAY_MS), milliseconds.rem_euclid(DAY_MS));
    let (year, month, day) = civil_from_days(days);
    let (seconds, millis) = (rest / 1000, rest % 1000);
    let (hour, minute, second) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{millis:03}Z")
}

/// `YYYY-MM-DD`, then possibly `T` or a space and `HH:MM`, `:SS`, `.mmm`, and a zone (`Z` or
/// `+HH:MM`; UTC without one).
pub fn parse_timestamp(text: &str) -> Option<i64> {
    let (date, time) = match text.split_once(['T', ' ']) {
        Some((date, time)) => (date, Some(time)),
        None => (text, None),
    };
    let [year, month, day] = numbers(date, '-')?;
    let is_date = (1970..=9999).contains(&year) && (1..=12).contains(&month);
    if !is_date || !(1..=days_in_month(year, month)).contains(&day) {
        return None;
    }
    let midnight = days_from_civil(year, month, day) * DAY_MS;
    Some(midnight + time.map_or(Some(0), parse_time)?)
}

/// Milliseconds since midnight, UTC.
fn parse_time(text: &str) -> Option<i64> {
    let (clock, offset_minutes) = match text.strip_suffix('Z') {
        Some(clock) => (clock, 0),
        None => match text.find(['+', '-']) {
            Some(at) => {
                let (clock, zone) = text.split_at_checked(at)?;
                let [hours, minutes] = numbers(zone.get(1..)?, ':')?;
                let sign = if zone.starts_with('-') { -1 } else { 1 };
                (clock, sign * (hours * 60 + minutes))
            }
            None => (text, 0),
        },
    };
    let (clock, fraction) = clock.split_once('.').unwrap_or((clock, "0"));
    let [hour, minute, second] = match clock.matches(':').count() {
        1 => numbers(&format!("{clock}:0"), ':')?,
        _ => numbers(clock, ':')?,
    };
    let is_time = hour < 24 && minute < 60 && second < 60 && offset_minutes.abs() <= 18 * 60;
    let is_fraction = !fraction.is_empty() && fraction.bytes().all(|digit| digit.is_ascii_digit());
    if !is_time || !is_fraction {
        return None;
    }
    let thousandths: String = fraction.chars().chain("00".chars()).take(3).collect();
    let seconds = hour * 3600 + (minute - offset_minutes) * 60 + second;
    Some(seconds * 1000 + thousandths.parse::<i64>().ok()?)
}

/// Exactly `N` whole numbers without signs.
fn numbers<const N: usize>(text: &str, separator: char) -> Option<[i64; N]> {
    let number = |part: &str| match part.bytes().all(|digit| digit.is_ascii_digit()) {
        true if part.len() <= 4 => part.parse().ok(),
        _ => None,
    };
    let numbers: Option<Vec<i64>> = text.split(separator).map(number).collect();
    numbers?.try_into().ok()
}

const fn days_in_month(year: i64, month: i64) -> i64 {
    match month {
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Days since 1970-01-01 of a date of the Gregorian calendar. Years are counted from March, so
/// that the leap day is a year's last; 400 years have 146,097 days.
const fn days_from_civil(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let (era, year_of_era) = (year.div_euclid(400), year.rem_euclid(400));
    let month_from_march = (month + 9) % 12;
    let day_of_year = (153 * month_from_march + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * 146_097 + day_of_era - 719_468
}

/// The inverse of [`days_from_civil`].
const fn civil_from_days(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let (era, day_of_era) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    let leap_days = day_of_era / 1460 - day_of_era / 36_524 + day_of_era / 146_096;
    let year_of_era = (day_of_era - leap_days) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    let year = year_of_era + era * 400 + if month <= 2 { 1 } else { 0 };
    (year, month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_written_in_utc_with_milliseconds() {
        let cases = [
            (0, "1970-01-01T00:00:00.000Z"),
            (951_782_399_999, "2000-02-28T23:59:59.999Z"),
            (951_782_400_000, "2000-02-29T00:00:00.000Z"),
            (1_700_000_000_123, "2023-11-14T22:13:20.123Z"),
            (253_402_300_799_999, "9999-12-31T23:59:59.999Z"),
            (-1, "none"),
        ];
        for (milliseconds, text) in cases {
            assert_eq!(format_timestamp(milliseconds), text);
            let back = if milliseconds < 0 { None } else { Some(milliseconds) };
            assert_eq!(parse_timestamp(text), back, "{text}");
        }
    }

    #[test]
    fn every_day_of_four_centuries_comes_back() {
        for day in 0..146_097 {
            let text = format_timestamp(day * DAY_MS);
            assert_eq!(parse_timestamp(&text), Some(day * DAY_MS), "{text}");
        }
    }

    #[test]
    fn parts_may_be_left_out_and_zones_are_counted_in() {
        let noon = Some(1_772_366_400_000);
        let cases = [
            ("2026-03-01", Some(1_772_323_200_000)),
            ("2026-03-01 12:00", noon),
            ("2026-03-01T12:00:00", noon),
            ("2026-03-01T12:00:00.0Z", noon),
            ("2026-03-01T14:30:00+02:30", noon),
            ("2026-03-01T04:00-08:00", noon),
            ("2026-03-01T12:00:00.25Z", Some(1_772_366_400_250)),
            ("2026-02-29", None),
            ("2026-13-01", None),
            ("2026-03-01T24:00", None),
            ("2026-03-01T12", None),
            ("2026-03-01T12:00:00.Z", None),
            ("2026-3", None),
            ("-1-3-1", None),
            ("yesterday", None),
            ("", None),
        ];
        for (text, expected) in cases {
            assert_eq!(parse_timestamp(text), expected, "{text}");
        }
    }
}
