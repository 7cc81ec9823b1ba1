//! What the command line asks for.

/// `[--quick | --record] [FILTER]…`, or `--redraw`
#[derive(Debug, Default)]
pub struct Args {
    /// Few and short rounds: shows that everything runs, not how fast.
    pub quick: bool,
    /// Keeps the figures in `docs/benchmarks`, and draws the page from them.
    pub record: bool,
    /// Measures nothing, and draws the page from what was recorded last.
    pub redraw: bool,
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
                "--record" => args.record = true,
                "--redraw" => args.redraw = true,
                // Cargo says so to every benchmark.
                "--bench" => {}
                other if other.starts_with('-') => {
                    return Err(format!(
                        "`{other}` is no option: cargo bench -p benches -- [--quick | --record | --redraw] [FILTER]…"
                    ));
                }
                filter => args.filters.push(filter.to_owned()),
            }
        }
        if args.quick && args.record {
            return Err(
                "`--quick` shows that everything runs, not how fast: nothing to record".into(),
            );
        }
        Ok(args)
    }

    /// Whether there is no filter.
    pub(crate) fn wants_all(&self) -> bool {
        self.filters.is_empty()
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
    fn quick_figures_are_not_recorded() {
        assert!(read("--record hit").unwrap().record);
        assert!(read("--quick --record").unwrap_err().contains("`--quick`"));
    }

    #[test]
    fn an_unknown_option_is_refused() {
        assert!(read("--quik").unwrap_err().contains("`--quik`"));
    }
}
