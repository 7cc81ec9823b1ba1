//! Bytes that nobody can guess.

/// From the operating system's generator.
pub(super) fn bytes<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    // Without it nothing that must not be guessed can be made, and going on
    // with something weaker would be found out by nobody.
    getrandom::fill(&mut bytes).expect("the operating system has random numbers");
    bytes
}

#[cfg(test)]
mod tests {
    #[test]
    fn no_two_are_alike() {
        assert_ne!(super::bytes::<16>(), super::bytes::<16>());
    }
}
