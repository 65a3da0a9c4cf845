//! Every order of the operations of a writer and a reader: `cargo test --manifest-path tests/loom/Cargo.toml`.

use latco_loom::latest::channel;
use loom::cell::UnsafeCell;

/// Number of values that are published.
const PUBLISHED: u32 = 4;
/// Number of times that the reader looks meanwhile.
const LOOKS: u32 = 3;

/// Runs a writer against a reader in every order; the orders that there were.
fn every_order(check: impl Fn(&[u32]) + Sync + Send + 'static) {
    loom::model(move || {
        // A value that loom watches: whoever writes while somebody reads is found.
        let (mut writer, mut reader) = channel(|| UnsafeCell::new(0));
        let writing = loom::thread::spawn(move || {
            for number in 1..=PUBLISHED {
                writer.value_mut().with_mut(|value| unsafe { *value = number });
                // A lost value is an assertion inside.
                writer.publish();
            }
        });
        let mut seen = vec![0];
        let mut look = |reader: &mut latco_loom::latest::Reader<UnsafeCell<u32>>| {
            let is_newer = reader.update();
            let number = reader.value().with(|value| unsafe { *value });
            let last = *seen.last().expect("the first is there");
            assert_eq!(is_newer, number > last, "{number} after {last}");
            if is_newer {
                seen.push(number);
            }
        };
        for _ in 0..LOOKS {
            look(&mut reader);
        }
        writing.join().expect("the writer does not panic");
        look(&mut reader);
        check(&seen);
    });
}

#[test]
fn in_every_order_values_are_whole_never_older_and_the_newest_arrives() {
    every_order(|seen| assert_eq!(seen.last(), Some(&PUBLISHED), "{seen:?}"));
}

#[test]
#[should_panic(expected = "not all")]
fn the_test_sees_orders_in_which_a_value_is_overtaken() {
    every_order(|seen| assert_eq!(seen.len() as u32, PUBLISHED + 1, "not all"));
}
