//! What the command line asks for.

/// `[--quick] [FILTER]…`
#[derive(Debug, Default)]
pub struct Args {
    /// Few and short rounds: shows that everything runs, not how fast.
    pub quick: bool,
    filters: Vec<String>,
}

impl Args {
    /// Reads the arguments of this process.
    ///
    /// # Errors
    /// An argument that is none; the message says what there is.
    pub fn parse() -> Result<Self, String> {
        Self::read(std::env::args().skip(1))
    }

    fn read(arguments: impl Iterator<Item = String>) -> Result<Self, String> {
        let mut args = Self::default();
        for argument in arguments {
            match argument.as_str() {
                "--quick" => args.quick = true,
                // Cargo says so to every benchmark.
                "--bench" => {}
                other if other.starts_with('-') => {
                    return Err(format!(
                        "`{other}` is no option: cargo bench -p benches -- [--quick] [FILTER]…"
                    ));
                }
                filter => args.filters.push(filter.to_owned()),
            }
        }
        Ok(args)
    }

    /// Whether the path of this name was asked for: without a filter each is,
    /// else those whose name holds one.
    pub fn wants(&self, name: &str) -> bool {
        self.filters.is_empty() || self.filters.iter().any(|filter| name.contains(filter))
    }
}

#[cfg(test)]
mod tests {
    use super::Args;

    fn read(line: &str) -> Result<Args, String> {
        Args::read(line.split_whitespace().map(str::to_owned))
    }

    #[test]
    fn a_filter_is_part_of_a_name() {
        let args = read("--bench redis hit/embedded").unwrap();
        assert!(!args.quick);
        assert!(args.wants("hit/redis/u64/1"));
        assert!(args.wants("hit/embedded/u64/1"));
        assert!(!args.wants("miss/embedded/1"));
    }

    #[test]
    fn no_filter_is_everything() {
        let args = read("--quick").unwrap();
        assert!(args.quick);
        assert!(args.wants("anything"));
    }

    #[test]
    fn an_unknown_option_is_refused() {
        assert!(read("--quik").unwrap_err().contains("`--quik`"));
    }
}
