//! The made-up staff that a new directory starts with.
//!
//! Nobody here is real. Last visits, and the hiring of newcomers, count back from the clock, so that "not seen for 90
//! days" and "joined in the last 90 days" always find some.
//! Tests: below.

use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan as _};

use super::{Directory, Group, Person, Status, take};

/// Name, department, title, hired, days since the last visit, manager (a line of this table, from 1), suspended.
type Line = (&'static str, &'static str, &'static str, Hired, Option<i64>, Option<u64>, bool);

#[derive(Clone, Copy)]
enum Hired {
    On(&'static str),
    DaysAgo(i64),
}
use Hired::{DaysAgo, On};

impl Hired {
    fn date(self, today: Date) -> Option<Date> {
        match self {
            On(date) => date.parse().ok(),
            DaysAgo(days) => today.checked_sub(days.days()).ok(),
        }
    }
}

const STAFF: [Line; 24] = [
    ("Marta Lindqvist", "Management", "Managing Director", On("2015-03-02"), Some(0), None, false),
    ("Tomás Herrera", "Engineering", "Head of Engineering", On("2016-06-13"), Some(1), Some(1), false),
    ("Priya Raman", "Sales", "Head of Sales", On("2017-01-09"), Some(2), Some(1), false),
    ("Oluwaseun Adeyemi", "Support", "Head of Support", On("2017-09-04"), Some(0), Some(1), false),
    ("Hanna Kovács", "Finance", "Head of Finance", On("2016-11-21"), Some(5), Some(1), false),
    ("Jonas Weidmann", "Engineering", "Staff Engineer", On("2018-02-05"), Some(1), Some(2), false),
    ("Aiko Tanabe", "Engineering", "Engineer", On("2019-05-20"), Some(3), Some(2), false),
    ("Luca Ferrante", "Engineering", "Engineer", On("2020-10-12"), Some(121), Some(2), false),
    ("Nadia Haddad", "Engineering", "Site Reliability Engineer", On("2021-03-15"), Some(0), Some(2), false),
    ("Sven Aaltonen", "Engineering", "Engineer", On("2022-08-01"), Some(97), Some(6), false),
    ("Grace Mbeki", "Engineering", "Working Student", DaysAgo(12), None, Some(6), false),
    ("Daniel O'Rourke", "Sales", "Account Executive", On("2018-07-16"), Some(4), Some(3), false),
    ("Ines Carvalho", "Sales", "Account Executive", On("2019-09-30"), Some(143), Some(3), false),
    ("Mikkel Brandt", "Sales", "Sales Engineer", On("2021-01-11"), Some(8), Some(3), false),
    ("Yara Sabbagh", "Sales", "Account Executive", On("2022-05-09"), None, Some(3), false),
    ("Pavel Dvořák", "Sales", "Working Student", On("2023-11-06"), Some(210), Some(14), true),
    ("Chloé Marchand", "Support", "Support Engineer", On("2018-12-03"), Some(1), Some(4), false),
    ("Kwame Asante", "Support", "Support Engineer", On("2020-02-17"), Some(2), Some(4), false),
    ("Rosa Jiménez", "Support", "Support Engineer", On("2021-06-28"), Some(92), Some(4), false),
    ("Emre Yıldız", "Support", "Night Shift Lead", On("2022-10-03"), Some(0), Some(4), false),
    ("Freya Nilsen", "Finance", "Accountant", On("2019-01-14"), Some(6), Some(5), false),
    ("Wei Zhang", "Finance", "Controller", DaysAgo(61), Some(12), Some(5), false),
    ("Bruno Keller", "Finance", "Payroll", On("2023-02-27"), Some(365), Some(5), true),
    ("Amira Soltani", "Management", "Assistant", DaysAgo(33), Some(1), Some(1), false),
];

const GROUPS: [(&str, &str, &[u64]); 4] = [
    ("Everyone", "All who work here", &[1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 17, 18, 19, 20, 21, 22, 24]),
    ("On call", "Answers the phone at night", &[6, 7, 9, 20]),
    ("Building access", "Has a key card", &[1, 2, 3, 4, 5, 6, 8, 9, 12, 13, 16, 17, 21, 23]),
    ("Newcomers", "First months at the company", &[11, 22, 24]),
];

/// `Daniel O'Rourke` becomes `daniel.orourke@example.com`.
fn email(name: &str) -> String {
    let local: String = name
        .to_lowercase()
        .chars()
        .filter_map(|letter| match letter {
            'á' => Some('a'),
            'é' => Some('e'),
            'ř' => Some('r'),
            'ı' => Some('i'),
            ' ' => Some('.'),
            letter => letter.is_ascii_alphabetic().then_some(letter),
        })
        .collect();
    format!("{local}@example.com")
}

fn person_id(line: u64) -> String {
    format!("per_{line:04}")
}

impl Directory {
    pub(crate) fn staff(now_ms: i64) -> Directory {
        let mut directory = Directory::empty();
        let today = TimeZone::UTC.to_datetime(Timestamp::from_millisecond(now_ms).unwrap_or_default()).date();
        for (name, department, title, hired, days_away, manager, is_suspended) in STAFF {
            let last_seen: Option<Date> = days_away.and_then(|days| today.checked_sub(days.days()).ok());
            let person = Person {
                id: person_id(take(&mut directory.next_id.person)),
                name: name.to_owned(),
                email: email(name),
                department: department.to_owned(),
                title: title.to_owned(),
                status: if is_suspended { Status::Suspended } else { Status::Active },
                hired: hired.date(today),
                last_seen,
                manager: manager.map(person_id),
            };
            directory.people.push(person);
        }
        for (name, description, lines) in GROUPS {
            let id = format!("grp_{:04}", take(&mut directory.next_id.group));
            let member_ids = lines.iter().copied().map(person_id).collect();
            let (name, description) = (name.to_owned(), description.to_owned());
            directory.groups.push(Group { id, name, description, member_ids });
        }
        directory
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everybody_has_an_address_of_their_own_a_hiring_date_and_a_manager_who_exists() {
        let directory = Directory::staff(1_780_000_000_000);
        let emails: std::collections::BTreeSet<&str> =
            directory.people.iter().map(|person| person.email.as_str()).collect();
        assert_eq!(emails.len(), STAFF.len());
        assert!(emails.contains("tomas.herrera@example.com"), "{emails:?}");
        for person in &directory.people {
            assert!(person.hired.is_some(), "{}", person.name);
            assert!(person.manager.as_ref().is_none_or(|id| directory.person(id).is_ok()), "{}", person.name);
        }
        for group in &directory.groups {
            assert_eq!(directory.members(&group.id).unwrap().len(), group.member_ids.len());
        }
    }

    #[test]
    fn some_active_people_were_not_seen_for_90_days_and_some_never() {
        let directory = Directory::staff(1_780_000_000_000);
        let today: Date = "2026-05-28".parse().unwrap();
        let long_away = directory.people.iter().filter(|person| {
            person.status == Status::Active && person.last_seen.is_some_and(|seen| (today - seen).get_days() > 90)
        });
        assert_eq!(long_away.count(), 4);
        assert_eq!(directory.people.iter().filter(|person| person.last_seen.is_none()).count(), 2);
    }

    #[test]
    fn whatever_the_day_some_joined_lately() {
        for now_ms in [0, 1_780_000_000_000, 4_102_444_800_000] {
            let directory = Directory::staff(now_ms);
            let today = TimeZone::UTC.to_datetime(Timestamp::from_millisecond(now_ms).unwrap()).date();
            let lately: Vec<&str> = directory
                .people
                .iter()
                .filter(|person| person.hired.is_some_and(|hired| (0..=90).contains(&(today - hired).get_days())))
                .map(|person| person.id.as_str())
                .collect();
            let newcomers = directory.groups.iter().find(|group| group.name == "Newcomers").unwrap();
            assert!((2..=3).contains(&lately.len()), "{lately:?}");
            assert!(newcomers.member_ids.iter().all(|id| lately.contains(&id.as_str())), "{lately:?}");
        }
    }
}
