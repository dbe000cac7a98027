//! The contract of the store port: one list of cases, run on every implementation.
//!
//! Must never contain a case that one implementation is excused from.
//! Cases: `contract/`; the control engine keeps the suite honest and lives only here.
#![allow(clippy::unwrap_used, reason = "a test says what went wrong by panicking")]

mod cases_commit;
mod cases_limits;
mod cases_model;
mod cases_reopen;
mod cases_scan;
mod cases_values;
mod control_engine;
mod fixture;

/// Counted, so that none is lost unnoticed.
const CASES: usize = 113;

macro_rules! contract {
    ($( $group:ident: $( $case:ident ),+ $(,)? ; )+) => {
        contract!(@engine memory, fixture::Memory::default(), $( $group: $( $case ),+ ; )+);
        contract!(@engine sled, fixture::Sled::default(), $( $group: $( $case ),+ ; )+);
        contract!(@engine control, fixture::Control::default(), $( $group: $( $case ),+ ; )+);

        #[test]
        fn the_suite_has_at_least_eighty_cases() {
            let names = [$( $( stringify!($case) ),+ ),+];
            println!("{} cases on each of memory, sled and the control engine", names.len());
            assert_eq!(names.len(), CASES);
            assert!(CASES >= 80);
        }
    };
    (@engine $engine:ident, $open:expr, $( $group:ident: $( $case:ident ),+ ; )+) => {
        mod $engine {
            use super::*;
            $( $(
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $case() {
                    $group::$case(&$open).await;
                }
            )+ )+
        }
    };
}

contract! {
    cases_commit:
        an_absent_key_reads_as_none,
        a_put_is_read_back,
        a_put_replaces_the_value,
        a_delete_removes_the_key,
        deleting_an_absent_key_is_fine,
        a_commit_of_nothing_is_fine,
        many_ops_happen_together,
        the_last_op_on_a_key_wins_put_then_delete,
        the_last_op_on_a_key_wins_delete_then_put,
        the_last_of_three_puts_wins,
        the_same_key_in_two_spaces_is_two_keys,
        deleting_in_one_space_leaves_the_other,
        the_empty_key_is_a_key,
        the_empty_key_of_one_space_is_not_that_of_the_next,
        a_key_of_zero_bytes_and_of_high_bytes_are_kept_apart,
        every_space_takes_a_key,
        absent_holds_for_an_absent_key,
        absent_fails_for_a_present_key,
        absent_fails_for_a_present_empty_value,
        absent_holds_after_a_delete,
        equals_holds_for_the_same_value,
        equals_fails_for_another_value,
        equals_fails_for_a_longer_value_with_the_same_start,
        equals_fails_for_an_absent_key,
        equals_of_an_empty_value_needs_the_key,
        one_failed_precondition_of_many_stops_all,
        a_conflict_changes_nothing,
        a_precondition_sees_the_state_before_its_own_ops,
        preconditions_without_ops_are_checked,
        the_store_works_after_a_conflict,
        of_many_writers_that_expect_absence_one_wins,
        counters_by_compare_and_set_lose_no_step,
        concurrent_commits_to_different_keys_all_arrive,
        a_read_after_ok_sees_the_commit_from_any_task,
        a_commit_is_seen_whole_within_one_key,
        a_thousand_commits_in_a_row,
        an_old_epoch_is_fenced,
        a_future_epoch_is_fenced,
        a_fenced_commit_changes_nothing,
        an_empty_commit_of_another_epoch_is_fenced,
        fencing_comes_before_conflict,
        the_epoch_is_at_least_one,
        random_commits_match_a_model;
    cases_values:
        an_empty_value_is_kept,
        every_size_around_the_inline_limit_is_kept,
        every_size_around_the_split_limit_is_kept,
        a_value_of_one_mebibyte_is_kept,
        the_largest_value_is_kept,
        a_value_of_all_byte_values_is_kept,
        a_small_value_replaces_a_split_one,
        a_split_value_replaces_a_small_one,
        a_split_value_replaces_a_longer_split_one,
        a_large_value_replaces_a_large_one,
        a_small_value_replaces_a_large_one,
        a_split_value_is_deleted_whole,
        a_large_value_is_deleted_whole,
        two_keys_share_one_large_value_and_one_is_deleted,
        a_large_value_put_twice_in_one_commit,
        a_split_value_put_and_deleted_in_one_commit,
        three_split_values_of_one_key_in_one_commit,
        the_longest_key_takes_a_split_value,
        equals_compares_split_values,
        equals_compares_large_values,
        equals_tells_apart_large_values_of_one_length,
        absent_fails_for_a_split_value,
        split_values_survive_many_overwrites,
        readers_never_see_a_mixture_of_split_values;
    cases_scan:
        a_scan_of_an_empty_space_is_empty,
        a_scan_is_in_byte_order,
        a_scan_is_in_byte_order_with_high_bytes,
        a_shorter_key_comes_before_its_extensions,
        a_scan_stays_in_its_space,
        a_prefix_selects,
        a_prefix_of_high_bytes_selects,
        a_prefix_that_is_a_key_includes_it,
        a_prefix_beyond_all_keys_is_empty,
        the_limit_holds,
        a_limit_of_zero_is_empty,
        after_is_exclusive,
        after_an_absent_key_goes_on_behind_it,
        after_before_the_prefix_starts_at_the_prefix,
        after_behind_the_prefix_is_empty,
        pages_cover_everything_once,
        reverse_is_the_exact_reverse,
        reverse_with_a_limit_takes_the_last,
        reverse_pages_cover_everything_once,
        reverse_after_behind_the_prefix_starts_at_its_end,
        reverse_after_before_the_prefix_is_empty,
        reverse_of_the_last_space_works,
        keys_only_leaves_values_empty,
        keys_only_with_split_and_large_values,
        a_scan_returns_split_and_large_values_whole,
        a_scan_shows_no_trace_of_split_values,
        a_scan_sees_deletions,
        a_scan_of_the_first_and_last_space_shows_only_keys_put_there;
    cases_limits:
        the_longest_key_is_accepted,
        a_longer_key_is_refused,
        a_longer_key_in_a_delete_is_refused,
        a_longer_key_in_a_precondition_is_refused,
        a_longer_key_reads_as_none,
        a_larger_value_is_refused,
        the_most_operations_are_accepted,
        more_operations_are_refused,
        a_refused_commit_changes_nothing;
    cases_reopen:
        content_survives_a_reopen,
        deletions_survive_a_reopen,
        split_and_large_values_survive_a_reopen,
        the_epoch_rises_with_each_open,
        a_commit_of_the_epoch_before_a_reopen_is_fenced,
        ten_reopens_with_commits_between,
        preconditions_hold_across_a_reopen;
    cases_model:
        random_histories_match_a_model,
        racing_histories_match_a_model;
}
