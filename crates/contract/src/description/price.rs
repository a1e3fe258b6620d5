//! What the tokens of a model cost. A description, a live list and the vendored data say it in these types; the lists of
//! models show it, and a ledger can reckon with it: nothing here is a float.

use std::fmt;
use std::str::FromStr;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{Error, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Picodollars of a token in a dollar of a million tokens: 10¹² in a dollar, for 10⁶ tokens.
const PICODOLLARS: u64 = 1_000_000;

/// What one token costs: a whole number of picodollars (10⁻¹² US dollars), which is as many microdollars for a million
/// tokens. Its text and its JSON are US dollars for a million tokens: `1.25` is 1,250,000 picodollars a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TokenPrice(u64);

/// A text or a number is no price.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a price is US dollars for a million tokens, from 0 to 1000000, such as 1.25")]
pub struct NotAPrice;

impl TokenPrice {
    /// A million dollars for a million tokens. What is dearer is a mistake; and up to here the price of 10⁷ tokens is
    /// still a `u64` of picodollars.
    pub const MOST: TokenPrice = TokenPrice(1_000_000 * PICODOLLARS);

    /// Picodollars for one token.
    pub const fn picodollars(self) -> u64 {
        self.0
    }
}

/// A decimal number, as it is written in plain digits. What is finer than a picodollar is rounded.
impl FromStr for TokenPrice {
    type Err = NotAPrice;

    fn from_str(text: &str) -> Result<Self, NotAPrice> {
        let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
        let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        if !digits(whole) || !digits(fraction) {
            return Err(NotAPrice);
        }
        let whole: u64 = whole.parse().map_err(|_| NotAPrice)?;
        let padded = format!("{fraction:0<7}");
        let (six, rest) = padded.split_at(6);
        let micros: u64 = six.parse().map_err(|_| NotAPrice)?;
        let up = u64::from(rest.as_bytes()[0] >= b'5');
        let picodollars = whole.checked_mul(PICODOLLARS).and_then(|whole| whole.checked_add(micros + up));
        picodollars.map(TokenPrice).filter(|price| *price <= TokenPrice::MOST).ok_or(NotAPrice)
    }
}

impl fmt::Display for TokenPrice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let fraction = format!("{:06}", self.0 % PICODOLLARS);
        let whole = self.0 / PICODOLLARS;
        match fraction.trim_end_matches('0') {
            "" => write!(f, "{whole}"),
            fraction => write!(f, "{whole}.{fraction}"),
        }
    }
}

impl Serialize for TokenPrice {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if self.0.is_multiple_of(PICODOLLARS) {
            return serializer.serialize_u64(self.0 / PICODOLLARS);
        }
        // JSON has no other numbers. The float nearest to so few digits is written with these digits again.
        serializer.serialize_f64(self.to_string().parse().map_err(serde::ser::Error::custom)?)
    }
}

impl<'de> Deserialize<'de> for TokenPrice {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Read;
        impl Visitor<'_> for Read {
            type Value = TokenPrice;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{NotAPrice}")
            }

            fn visit_u64<E: Error>(self, number: u64) -> Result<TokenPrice, E> {
                self.visit_str(&number.to_string())
            }

            fn visit_f64<E: Error>(self, number: f64) -> Result<TokenPrice, E> {
                // Rust writes the shortest digits that are this float, and never an exponent.
                self.visit_str(&number.to_string())
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<TokenPrice, E> {
                text.parse().map_err(E::custom)
            }
        }
        deserializer.deserialize_any(Read)
    }
}

impl JsonSchema for TokenPrice {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "TokenPrice".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "US dollars for a million tokens.",
            "type": "number",
            "minimum": 0,
            "maximum": 1_000_000,
        })
    }
}

/// What tokens cost by their kind, in US dollars for a million. A kind of which nothing is said costs what the kind costs
/// that it is a part of: `input` or `output`; that one of these is missing means that its price is not known, never 0.
#[derive(Clone, Debug, Default, Deserialize, Serialize, JsonSchema, PartialEq, Eq)]
pub struct Rates {
    /// Tokens of the request that are of no other kind.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub input: Option<TokenPrice>,
    /// Tokens of the answer, thinking among them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output: Option<TokenPrice>,
    /// Tokens of the request that came out of the provider's cache.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cache_read: Option<TokenPrice>,
    /// Tokens of the request that were put into the cache, for as long as is usual.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cache_write: Option<TokenPrice>,
    /// The same, to be kept for an hour.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cache_write_1h: Option<TokenPrice>,
    /// Tokens of thinking, where they cost another price than the rest of the answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reasoning: Option<TokenPrice>,
    /// Audio in the request.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub input_audio: Option<TokenPrice>,
    /// Audio in the answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output_audio: Option<TokenPrice>,
    /// Audio of the request that came out of the cache.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cache_read_audio: Option<TokenPrice>,
    /// Pictures in the request.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub input_image: Option<TokenPrice>,
    /// Pictures in the answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output_image: Option<TokenPrice>,
}

impl Rates {
    /// What is said, each with the name of its kind.
    pub fn each(&self) -> impl Iterator<Item = (&'static str, TokenPrice)> + use<> {
        let all = [
            ("input", self.input),
            ("output", self.output),
            ("cache_read", self.cache_read),
            ("cache_write", self.cache_write),
            ("cache_write_1h", self.cache_write_1h),
            ("reasoning", self.reasoning),
            ("input_audio", self.input_audio),
            ("output_audio", self.output_audio),
            ("cache_read_audio", self.cache_read_audio),
            ("input_image", self.input_image),
            ("output_image", self.output_image),
        ];
        all.into_iter().filter_map(|(name, price)| Some((name, price?)))
    }

    /// Each rate from here, and from the other where this says nothing.
    fn or(&self, other: &Rates) -> Rates {
        Rates {
            input: self.input.or(other.input),
            output: self.output.or(other.output),
            cache_read: self.cache_read.or(other.cache_read),
            cache_write: self.cache_write.or(other.cache_write),
            cache_write_1h: self.cache_write_1h.or(other.cache_write_1h),
            reasoning: self.reasoning.or(other.reasoning),
            input_audio: self.input_audio.or(other.input_audio),
            output_audio: self.output_audio.or(other.output_audio),
            cache_read_audio: self.cache_read_audio.or(other.cache_read_audio),
            input_image: self.input_image.or(other.input_image),
            output_image: self.output_image.or(other.output_image),
        }
    }
}

/// What a model costs: its rates, and others for long requests.
#[derive(Clone, Debug, Default, Deserialize, Serialize, JsonSchema, PartialEq, Eq)]
pub struct Price {
    /// What most requests pay.
    #[serde(flatten)]
    pub rates: Rates,
    /// What all tokens of longer requests cost, and their answers', by growing length.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tiers: Vec<Tier>,
    /// What is charged beside the tokens and is in none of these numbers, in words, such as `web searches`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub beside: Vec<String>,
}

/// The rates of requests that are longer than so many tokens.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema, PartialEq, Eq)]
pub struct Tier {
    /// Requests with more tokens than this pay it. All of a request counts: what the cache held too.
    pub above: u64,
    /// What they pay; what is left out here is as for most requests.
    #[serde(flatten)]
    pub rates: Rates,
}

impl Price {
    /// The rates of a request with so many tokens, those out of the cache among them.
    pub fn at(&self, input_tokens: u64) -> Rates {
        let tier = self.tiers.iter().filter(|tier| input_tokens > tier.above).max_by_key(|tier| tier.above);
        tier.map_or_else(|| self.rates.clone(), |tier| tier.rates.or(&self.rates))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_price_is_a_whole_number_of_picodollars_however_it_is_written() {
        for (written, picodollars, shown) in [
            (json!(1.25), 1_250_000, "1.25"),
            (json!(15), 15_000_000, "15"),
            (json!("0.003625"), 3_625, "0.003625"),
            (json!(0.0028), 2_800, "0.0028"),
            (json!(0), 0, "0"),
            // What sums of floats are in the sources.
            (json!(0.18000000000000002), 180_000, "0.18"),
            (json!(0.13999999999999999), 140_000, "0.14"),
            (json!(0.9999999), 1_000_000, "1"),
            (json!(1e-7), 0, "0"),
            (json!(1_000_000), 1_000_000_000_000, "1000000"),
        ] {
            let price: TokenPrice = serde_json::from_value(written.clone()).unwrap();
            assert_eq!((price.picodollars(), price.to_string().as_str()), (picodollars, shown), "{written}");
            assert_eq!(serde_json::to_string(&price).unwrap(), shown, "{written}");
        }
    }

    #[test]
    fn what_is_no_price_is_refused() {
        for written in [
            json!(-1),
            json!(1e9),
            json!(1_000_000.1),
            json!("1,5"),
            json!("1e3"),
            json!(""),
            json!("."),
            json!("1."),
            json!(null),
            json!([1]),
        ] {
            let refused = serde_json::from_value::<TokenPrice>(written.clone()).unwrap_err().to_string();
            assert!(refused.contains("US dollars for a million tokens"), "{written}: {refused}");
        }
    }

    #[test]
    fn long_requests_pay_their_tier_and_what_it_leaves_out_is_as_for_all() {
        let price: Price = serde_json::from_value(json!({
            "input": 3, "output": 15, "cache_read": 0.3,
            "tiers": [{ "above": 200000, "input": 6, "output": 22.5 }, { "above": 500000, "input": 7 }],
        }))
        .unwrap();
        let at = |tokens| {
            price.at(tokens).each().map(|(name, price)| format!("{name} {price}")).collect::<Vec<_>>().join(" ")
        };
        assert_eq!(at(200_000), "input 3 output 15 cache_read 0.3");
        assert_eq!(at(200_001), "input 6 output 22.5 cache_read 0.3");
        assert_eq!(at(900_000), "input 7 output 15 cache_read 0.3");
    }
}
