//! The text of an error with its causes.

/// The text of an error with its causes. Many errors repeat their cause in their own words: those are not
/// said twice.
pub(crate) fn whole_message(error: &anyhow::Error) -> String {
    let mut said = error.to_string();
    for cause in error.chain().skip(1) {
        let cause = cause.to_string();
        if !said.contains(&cause) {
            said = format!("{said}: {cause}");
        }
    }
    said
}
