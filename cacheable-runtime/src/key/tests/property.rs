use proptest::prelude::*;

use super::model::{self, Meaning, Value};
use super::{KeyWriter, text_of};
use crate::pattern::Pattern;

fn key_of(arguments: &[Value]) -> String {
    let mut key = KeyWriter::text("cache:p:m");
    for argument in arguments {
        key.arg(argument);
    }
    key.finish_text().unwrap()
}

fn hash_of(arguments: &[Value]) -> u128 {
    let mut key = KeyWriter::hash([3, 4]);
    for argument in arguments {
        key.arg(argument);
    }
    key.finish_hash().unwrap()
}

fn meanings(arguments: &[Value]) -> Vec<Meaning> {
    arguments.iter().map(Value::meaning).collect()
}

fn calls() -> impl Strategy<Value = Vec<Vec<Value>>> {
    let call = prop::collection::vec(model::value(), 0..4);
    prop::collection::vec(call, 2..16)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    /// Over every pair of some calls, with each call also in disguise.
    #[test]
    fn texts_and_hashes_are_equal_exactly_for_equal_arguments(mut calls in calls()) {
        for call in calls.clone() {
            calls.push(call.iter().map(Value::disguised).collect());
        }
        let seen: Vec<_> = calls
            .iter()
            .map(|call| (key_of(call), hash_of(call), meanings(call)))
            .collect();
        for (index, (text, hash, meaning)) in seen.iter().enumerate() {
            for (other_text, other_hash, other_meaning) in &seen[index + 1..] {
                let same = meaning == other_meaning;
                prop_assert_eq!(text == other_text, same, "{} {}", text, other_text);
                prop_assert_eq!(hash == other_hash, same, "{} {}", text, other_text);
            }
        }
    }

    /// The strongest form of "no two values share a text": the value can be read back.
    #[test]
    fn a_text_reads_back_as_its_value(value in model::value()) {
        let text = text_of(&value);
        if !text.starts_with('#') {
            let mut reader = Reader(&text);
            let read = reader.value();
            prop_assert_eq!(reader.0, "", "left over of {}", text);
            prop_assert_eq!(read, value.meaning(), "{}", text);
        }
    }

    #[test]
    fn texts_are_bounded_and_mean_nothing_to_patterns(value in model::value(), more in model::value()) {
        let text = text_of(&value);
        prop_assert!(text.len() <= 200 && !text.is_empty(), "{}", text);
        prop_assert!(
            !text.contains(|c: char| "*?[]\\{}: ".contains(c) || c.is_control() || c.is_whitespace()),
            "{}", text
        );
        let key = key_of(&[value.clone(), more.clone(), value, more]);
        prop_assert!(key.len() <= 1024);
    }

    #[test]
    fn a_placeholder_covers_its_own_value_only(value in model::value(), other in model::value(), last in model::value()) {
        let mut pattern = KeyWriter::text("");
        pattern.literal("cache:p:m:").value(&value).literal(":*");
        let pattern = Pattern::new(pattern.finish_pattern().unwrap()).unwrap();
        prop_assert!(pattern.matches(key_of(&[value.clone(), last.clone()]).as_bytes()));
        prop_assert!(!pattern.matches(key_of(std::slice::from_ref(&value)).as_bytes()));
        let same = value.meaning() == other.meaning();
        prop_assert_eq!(pattern.matches(key_of(&[other, last]).as_bytes()), same);
    }
}

/// Reads canonical text back, by rules written down apart from the writer's.
struct Reader<'a>(&'a str);

impl Reader<'_> {
    fn value(&mut self) -> Meaning {
        if self.eat("~") {
            return if self.0.is_empty() || self.0.starts_with([',', ')', '=']) {
                Meaning::None
            } else {
                Meaning::Some(Box::new(self.value()))
            };
        }
        if self.eat("'") {
            return Meaning::Str(self.word());
        }
        if self.eat("@") {
            let name = self.word();
            return if self.0.starts_with('(') {
                Meaning::Variant(name, Box::new(self.parenthesized()))
            } else {
                Meaning::UnitVariant(name)
            };
        }
        if self.eat("0x") {
            let digits = self.word();
            let byte = |at| u8::from_str_radix(&digits[at..at + 2], 16).unwrap();
            return Meaning::Bytes((0..digits.len()).step_by(2).map(byte).collect());
        }
        if self.0.starts_with('(') {
            return self.parenthesized();
        }
        let word = self.word();
        match word.as_str() {
            "true" => Meaning::Bool(true),
            "false" => Meaning::Bool(false),
            "nan" => Meaning::Float(f64::NAN.to_bits()),
            "inf" => Meaning::Float(f64::INFINITY.to_bits()),
            "-inf" => Meaning::Float(f64::NEG_INFINITY.to_bits()),
            _ => number(&word).unwrap_or(Meaning::Str(word)),
        }
    }

    fn parenthesized(&mut self) -> Meaning {
        assert!(self.eat("("));
        if self.eat(")") {
            return Meaning::Unit;
        }
        if self.eat(",)") {
            return Meaning::Seq(Vec::new());
        }
        if self.eat("=)") {
            return Meaning::Map(Vec::new());
        }
        let first = self.value();
        if self.eat("=") {
            let mut entries = vec![(first, self.value())];
            while self.eat(",") {
                let key = self.value();
                assert!(self.eat("="));
                entries.push((key, self.value()));
            }
            assert!(self.eat(")"));
            return model::map(entries.into_iter());
        }
        let mut values = vec![first];
        while self.eat(",") {
            values.push(self.value());
        }
        assert!(self.eat(")"));
        Meaning::Seq(values)
    }

    /// Up to the next punctuation, with escapes undone.
    fn word(&mut self) -> String {
        let end = self.0.find(['(', ')', ',', '=']).unwrap_or(self.0.len());
        let (word, rest) = self.0.split_at(end);
        self.0 = rest;
        let mut bytes = Vec::new();
        let mut parts = word.split('%');
        bytes.extend(parts.next().unwrap_or_default().bytes());
        for part in parts {
            bytes.push(u8::from_str_radix(&part[..2], 16).unwrap());
            bytes.extend(part[2..].bytes());
        }
        String::from_utf8(bytes).unwrap()
    }

    fn eat(&mut self, token: &str) -> bool {
        self.0
            .strip_prefix(token)
            .map(|rest| self.0 = rest)
            .is_some()
    }
}

fn number(word: &str) -> Option<Meaning> {
    if !word.starts_with(|c: char| c == '-' || c.is_ascii_digit()) {
        return None;
    }
    if let Ok(value) = word.parse() {
        return Some(Meaning::Unsigned(value));
    }
    if let Ok(value) = word.parse() {
        return Some(Meaning::Negative(value));
    }
    word.parse::<f64>()
        .ok()
        .map(|value| Meaning::Float(value.to_bits()))
}
