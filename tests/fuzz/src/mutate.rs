//! Random changes of bytes and of text.

use rand::seq::IndexedRandom;
use rand::{Rng, RngExt};

/// Lengths and counts that are seldom meant.
const NUMBERS: [u64; 10] = [
    0,
    1,
    0x7f,
    0xff,
    0xffff,
    0x7fff_ffff,
    0x8000_0000,
    0xffff_ffff,
    0x7fff_ffff_ffff_ffff,
    u64::MAX,
];

/// Words that stand for numbers and other values in text.
const WORDS: [&str; 16] = [
    "nan",
    "inf",
    "-inf",
    "1e300",
    "-1e300",
    "1e-300",
    "-1",
    "0",
    "9223372036854775807",
    "-9223372036854775808",
    "true",
    "[]",
    "{}",
    "\"\"",
    "&a [*a]",
    "\u{fffd}",
];

/// A good input with one to six changes.
pub(crate) fn mutant(seeds: &[Vec<u8>], is_text: bool, random: &mut impl Rng) -> Vec<u8> {
    let mut bytes = seeds.choose(random).cloned().unwrap_or_default();
    let changes = 1 + random.random_range(0..6);
    for _ in 0..changes {
        if is_text && random.random_bool(0.4) {
            change_word(&mut bytes, random);
        } else {
            change_bytes(&mut bytes, seeds, random);
        }
    }
    bytes
}

/// A place, more often near the ends, where heads and indices stand.
fn place(length: usize, random: &mut impl Rng) -> usize {
    let near = length.clamp(1, 64);
    match random.random_range(0..4) {
        0 => random.random_range(0..near),
        1 => length.saturating_sub(1 + random.random_range(0..near)),
        _ => random.random_range(0..length.max(1)),
    }
}

/// A stretch, mostly short.
fn stretch(length: usize, random: &mut impl Rng) -> std::ops::Range<usize> {
    let begin = place(length, random).min(length);
    let most = match random.random_bool(0.8) {
        true => 32,
        false => length,
    };
    begin..(begin + random.random_range(0..=most)).min(length)
}

fn change_bytes(bytes: &mut Vec<u8>, seeds: &[Vec<u8>], random: &mut impl Rng) {
    if bytes.is_empty() {
        bytes.push(random.random());
        return;
    }
    let at = place(bytes.len(), random).min(bytes.len() - 1);
    match random.random_range(0..9) {
        0 => bytes[at] ^= 1 << random.random_range(0..8),
        1 => bytes[at] = random.random(),
        2 => bytes.truncate(at),
        3 => {
            bytes.drain(stretch(bytes.len(), random));
        }
        4 => {
            let new: Vec<u8> = (0..random.random_range(1..32))
                .map(|_| random.random())
                .collect();
            bytes.splice(at..at, new);
        }
        5 => {
            let again = bytes[stretch(bytes.len(), random)].to_vec();
            bytes.splice(at..at, again);
        }
        6 => {
            let with = [0, 0xff, 0xa5, random.random()];
            let with = with[random.random_range(0..with.len())];
            let range = stretch(bytes.len(), random);
            bytes[range].fill(with);
        }
        7 => {
            // A length or a number, in either order of bytes.
            let number = *NUMBERS.choose(random).expect("there are some");
            let width = [1, 2, 4, 8][random.random_range(0..4)];
            let mut field = number.to_le_bytes()[..width].to_vec();
            if random.random_bool(0.5) {
                field.reverse();
            }
            let end = (at + width).min(bytes.len());
            let length = end - at;
            bytes[at..end].copy_from_slice(&field[..length]);
        }
        _ => {
            let Some(other) = seeds.choose(random).filter(|other| !other.is_empty()) else {
                return;
            };
            let part = other[stretch(other.len(), random)].to_vec();
            let end = (at + part.len()).min(bytes.len());
            bytes.splice(at..end, part);
        }
    }
}

/// Puts another word in the place of one.
fn change_word(bytes: &mut Vec<u8>, random: &mut impl Rng) {
    let is_end = |byte: &u8| b" \n,:=[]{}\"'".contains(byte);
    let begin = place(bytes.len(), random).min(bytes.len());
    let begin = bytes[..begin]
        .iter()
        .rposition(is_end)
        .map_or(0, |at| at + 1);
    let length = bytes[begin..].iter().position(is_end);
    let end = length.map_or(bytes.len(), |length| begin + length);
    let word = *WORDS.choose(random).expect("there are some");
    bytes.splice(begin..end, word.bytes());
}
