//! The Huffman tables that cameras leave out of their JPEG images (motion JPEG): those of ITU-T T.81, annex K.3.

use std::borrow::Cow;

/// Numbers of codes of each length, and the values of the codes, of brightness and of colour.
const DC_COUNTS: [[u8; 16]; 2] = [
    [0, 1, 5, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 0, 0, 0],
    [0, 3, 1, 1, 1, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 0],
];
const DC_VALUES: [u8; 12] = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11];
const AC_COUNTS: [[u8; 16]; 2] = [
    [0, 2, 1, 3, 3, 2, 4, 3, 5, 5, 4, 4, 0, 0, 1, 0x7d],
    [0, 2, 1, 2, 4, 4, 3, 4, 7, 5, 4, 4, 0, 1, 2, 0x77],
];
const AC_VALUES: [&str; 2] = [
    "01020300041105122131410613516107227114328191a1082342b1c11552d1f02433627282090a161718191a25262728292a3435363738393a\
     434445464748494a535455565758595a636465666768696a737475767778797a838485868788898a92939495969798999aa2a3a4a5a6a7a8a9\
     aab2b3b4b5b6b7b8b9bac2c3c4c5c6c7c8c9cad2d3d4d5d6d7d8d9dae1e2e3e4e5e6e7e8e9eaf1f2f3f4f5f6f7f8f9fa",
    "000102031104052131061241510761711322328108144291a1b1c109233352f0156272d10a162434e125f11718191a262728292a3536373839\
     3a434445464748494a535455565758595a636465666768696a737475767778797a82838485868788898a92939495969798999aa2a3a4a5a6a7\
     a8a9aab2b3b4b5b6b7b8b9bac2c3c4c5c6c7c8c9cad2d3d4d5d6d7d8d9dae2e3e4e5e6e7e8e9eaf2f3f4f5f6f7f8f9fa",
];

/// The file with the standard tables, where it has none of its own: a checked JPEG with Huffman codes.
pub(super) fn completed(data: &[u8]) -> Cow<'_, [u8]> {
    let mut at = 2;
    loop {
        // The markers were walked before.
        let Some(&[0xff, marker, high, low]) = data.get(at..at + 4).and_then(|m| m.first_chunk())
        else {
            return Cow::Borrowed(data);
        };
        match marker {
            // It has tables, or is coded arithmetically.
            0xc4 | 0xc9..=0xcb | 0xcd..=0xcf => return Cow::Borrowed(data),
            0xda => break,
            0xff => at += 1,
            0x01 | 0xd0..=0xd7 => at += 2,
            _ => at += 2 + usize::from(u16::from_be_bytes([high, low])),
        }
    }
    Cow::Owned([&data[..at], &tables(), &data[at..]].concat())
}

/// The four tables, each a segment.
fn tables() -> Vec<u8> {
    let mut segments = Vec::new();
    for (number, (dc, (ac, values))) in
        (0..).zip(DC_COUNTS.iter().zip(AC_COUNTS.iter().zip(AC_VALUES)))
    {
        let digits: Vec<u8> = (values.chars())
            .filter_map(|c| c.to_digit(16).map(|digit| digit as u8))
            .collect();
        let ac_values: Vec<u8> = digits
            .chunks(2)
            .map(|pair| pair[0] * 16 + pair[1])
            .collect();
        for (class, counts, values) in [(0, dc, &DC_VALUES[..]), (16, ac, &ac_values[..])] {
            let length = 2 + 1 + counts.len() + values.len();
            segments.extend([0xff, 0xc4, 0, length as u8, class + number]);
            segments.extend(counts);
            segments.extend(values);
        }
    }
    segments
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tables_have_as_many_values_as_codes() {
        for (counts, number) in AC_COUNTS.iter().zip(0..) {
            let codes: usize = counts.iter().map(|count| usize::from(*count)).sum();
            assert_eq!(codes, 162, "{number}");
        }
        // Marker and length, kind, 16 counts, values: twice for brightness, twice for colour.
        assert_eq!(tables().len(), 2 * (4 + 17 + 12) + 2 * (4 + 17 + 162));
    }
}
