//! Schedules under clocks that jump, stand still, go back and are set for summer, with restarts and crashes in between:
//! each planned time starts as `docs/schedules.md` says, once, and never before its time.
//!
//! Must never look at the real time; the seed of each world is printed where it fails.
//! Tests: these; `FLOWDECK_SOAK_CLOCKS` sets how many worlds.

mod rules;
mod site;

use flowdeck::engine::ports::Clock as _;
use flowdeck::model::Millis;
use flowdeck::model::schedule::{Missed, Overlap, Schedule};
use flowdeck_sim::StoreFault;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use rand::{Rng, SeedableRng};

use rules::Rules;
use site::Site;

const MINUTE_MS: i64 = 60_000;
const HOUR_MS: i64 = 60 * MINUTE_MS;
const DAY_MS: i64 = 24 * HOUR_MS;
const LOOKS: usize = 25;
/// No schedule here is older.
const OLDEST: Millis = Millis(1_000_000_000_000);

const CRONS: &[&str] = &["*/10 * * * *", "0 * * * *", "30 2 * * *", "30 1 * * *", "59 59 23 * * *", "0 9 * * MON-FRI"];
const ZONES: &[&str] = &["UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe"];
/// Shortly before clocks are set in one of those zones, both ways, and before a second that came twice.
const SET: &[i64] =
    &[1_774_744_200_000, 1_792_888_200_000, 1_772_951_400_000, 1_793_509_800_000, 1_775_311_200_000, 1_483_228_700_000];

fn text(schedule: &Schedule, waits: bool) -> String {
    let (missed, overlap) = (word(&schedule.missed), word(&schedule.overlap));
    let Schedule { cron, timezone, within_ms, .. } = schedule;
    let minutes = within_ms / 60_000;
    let on = format!(
        "on: {{ schedule: {{ cron: \"{cron}\", timezone: {timezone}, missed: {missed}, within: {minutes}m, overlap: {overlap} }} }}"
    );
    let wait = if waits { "  - wait: { signal: go }\n" } else { "" };
    format!("flow: ticks\n{on}\ncards:\n{wait}  - return: {{ at: \"${{event.scheduled_at}}\" }}\n")
}

fn word(part: &impl serde::Serialize) -> String {
    serde_json::to_value(part).unwrap().as_str().unwrap().to_owned()
}

fn schedule(random: &mut StdRng) -> Schedule {
    let within_ms = *[20, 180, 24 * 60].choose(random).unwrap() * 60_000;
    let missed = *[Missed::Skip, Missed::Last, Missed::All].choose(random).unwrap();
    let overlap = *[Overlap::Parallel, Overlap::Skip, Overlap::Queue].choose(random).unwrap();
    Schedule {
        missed,
        overlap,
        within_ms,
        ..Schedule::new(CRONS.choose(random).unwrap(), ZONES.choose(random).unwrap())
    }
}

async fn disturb(site: &mut Site, random: &mut StdRng) {
    let now = site.clock.now();
    match random.random_range(0..10) {
        0 => site.clock.jump(HOUR_MS),
        1 => site.clock.jump(-HOUR_MS),
        2 => site.clock.jump(3_650 * DAY_MS),
        3 if now.0 > OLDEST.0 + 3_650 * DAY_MS => site.clock.jump(-3_650 * DAY_MS),
        4 => site.clock.jump(random.random_range(-1_000..=1_000)),
        5 => site.clock.jump(SET.choose(random).unwrap() - now.0),
        6 => site.restart().await,
        7 => site.crash_soon(
            random.random_range(1..12),
            *[StoreFault::DieBefore, StoreFault::DieAfter].choose(random).unwrap(),
        ),
        8 => site.clock.advance(random.random_range(0..36 * 3_600_000)),
        _ => site.clock.advance(random.random_range(0..15 * 60_000)),
    }
}

async fn world(seed: u64) -> usize {
    let mut random = StdRng::seed_from_u64(seed);
    let (schedule, waits) = (schedule(&mut random), random.random());
    let text = text(&schedule, waits);
    let mut site = Site::new(&text, flowdeck_sim::clock::START).await;
    let mut rules = Rules::new(schedule, site.clock.now());
    for look in 0..LOOKS {
        for _ in 0..random.random_range(1..4) {
            disturb(&mut site, &mut random).await;
        }
        let now = site.clock.now();
        let case = format!("seed {seed}, look {look} at {}\n{text}", now.to_iso());
        let expected = rules.look(now, |time| site.runs.contains_key(&time.to_iso()));
        let expected: Vec<_> = expected.into_iter().map(Millis::to_iso).collect();
        let crashes = site.crashes;
        let started = site.look(&case).await;
        if site.crashes == crashes {
            assert_eq!(started, expected, "{case}");
        } else {
            // What was started before the crash need not be named again.
            assert!(started.iter().all(|time| expected.contains(time)), "{case}: {started:?} of {expected:?}");
            site.find(&case).await;
        }
        assert!(expected.iter().all(|time| site.runs.contains_key(time)), "{case}: {expected:?}");
        let running: Vec<Millis> = rules.running.iter().copied().collect();
        for time in running {
            if !waits {
                rules.running.remove(&time);
            } else if random.random_range(0..3) == 0 {
                site.end(&time.to_iso()).await;
                rules.running.remove(&time);
            }
        }
    }
    assert_eq!(site.all().await.len(), site.runs.len(), "seed {seed}: a time has more than one run\n{text}");
    site.runs.len()
}

#[tokio::test]
async fn schedules_start_each_time_as_promised_whatever_the_clock_does() {
    let worlds: u64 = std::env::var("FLOWDECK_SOAK_CLOCKS").ok().map_or(60, |n| n.parse().unwrap());
    let mut started = 0;
    for seed in 0..worlds {
        started += world(seed).await;
    }
    println!("{worlds} worlds of schedules, {started} planned times started, each once and none before its time");
    assert!(started > 0);
}

/// Looks again and again, a step at a time; every planned time that started, in order.
async fn started(site: &mut Site, step_ms: u64, steps: usize) -> Vec<String> {
    let mut times = Vec::new();
    for _ in 0..steps {
        site.clock.advance(step_ms);
        times.extend(site.look("by hand").await);
    }
    times
}

fn plain(cron: &str, zone: &str) -> String {
    text(&Schedule { missed: Missed::All, ..Schedule::new(cron, zone) }, false)
}

/// 2026-06-30T23:59:57.500Z; 23:59:59 comes twice, as where a leap second is inserted and the clock is set back for it.
#[tokio::test]
async fn a_second_that_comes_twice_starts_once() {
    let mut site = Site::new(&plain("* * * * * *", "UTC"), Millis(1_782_863_997_500)).await;
    let mut times = started(&mut site, 500, 5).await;
    assert_eq!(times.last().unwrap(), "2026-07-01T00:00:00.000Z");
    site.clock.jump(-1_000);
    site.restart().await;
    times.extend(started(&mut site, 250, 14).await);
    times.dedup();
    let seconds: Vec<_> = times.iter().map(|time| &time[11..19]).collect();
    assert_eq!(seconds, ["23:59:58", "23:59:59", "00:00:00", "00:00:01", "00:00:02"]);
    assert_eq!(site.all().await.len(), 5, "no second has two runs");
}

#[tokio::test]
async fn an_hour_that_does_not_exist_and_one_that_comes_twice_start_what_is_promised() {
    for (cron, from, expected) in [
        // 2026-03-28T12:00Z and 2026-10-24T12:00Z in Berlin: 02:30 is skipped, and comes twice.
        ("30 2 * * *", 1_774_699_200_000, &["2026-03-29T01:00:00.000Z", "2026-03-30T00:30:00.000Z"][..]),
        ("30 2 * * *", 1_792_843_200_000, &["2026-10-25T00:30:00.000Z", "2026-10-26T01:30:00.000Z"]),
    ] {
        let mut site = Site::new(&plain(cron, "Europe/Berlin"), Millis(from)).await;
        let mut times = started(&mut site, 600_000, 6 * 13).await;
        // In the hour itself: somebody sets the machine's clock by hand, and a restart comes on top.
        site.clock.jump(-HOUR_MS);
        site.restart().await;
        times.extend(started(&mut site, 600_000, 6 * 26).await);
        times.dedup();
        assert_eq!(times, expected, "{cron}");
        assert_eq!(site.all().await.len(), expected.len());
    }
    // Hours follow elapsed time: the day of autumn has 25, that of spring 23.
    for (from, hours) in [(1_774_738_800_000, 23), (1_792_879_200_000, 25)] {
        let mut site = Site::new(&plain("0 * * * *", "Europe/Berlin"), Millis(from)).await;
        let times = started(&mut site, 600_000, 6 * hours).await;
        assert_eq!(times.len(), hours, "{times:?}");
        assert_eq!(site.all().await.len(), hours);
    }
}
