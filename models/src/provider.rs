//! Execution providers: where the graphs are computed, and in which order they are tried.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

crate::named! {
    /// An execution provider, which computes the graphs. There is no silent fallback: a provider that is not
    /// available is an error.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
    #[serde(rename_all = "lowercase")]
    pub enum Provider {
        /// The CPU, one thread per session.
        #[default]
        Cpu => "cpu",
        /// NVIDIA CUDA; needs a GPU build of the library.
        Cuda => "cuda",
        /// NVIDIA TensorRT; needs a GPU build of the library.
        TensorRt => "tensorrt",
    }
}

impl Provider {
    /// Whether the provider computes on a GPU.
    pub fn is_gpu(self) -> bool {
        self != Self::Cpu
    }
}

impl FromStr for Provider {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let found = Self::ALL.into_iter().find(|one| one.name() == text);
        found.ok_or_else(|| format!("unknown provider {text:?}, expected cpu, cuda or tensorrt"))
    }
}

/// Providers in order of preference: at least one, each once. The first that works is used for all graphs.
///
/// ```
/// use latco_models::{Provider, Providers};
///
/// let providers: Providers = "tensorrt,cuda,cpu".parse().expect("a list");
/// assert_eq!(providers.preferred(), Provider::TensorRt);
/// assert!("cuda,cuda".parse::<Providers>().is_err());
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Vec<String>", into = "Vec<Provider>")]
pub struct Providers(Vec<Provider>);

impl Providers {
    /// Makes a list of providers in order of preference.
    ///
    /// # Errors
    /// An error when the list is empty, or names a provider twice.
    pub fn new(list: Vec<Provider>) -> Result<Self, String> {
        if list.is_empty() {
            return Err("no provider, expected at least one of cpu, cuda, tensorrt".to_owned());
        }
        match list
            .iter()
            .enumerate()
            .find(|(i, p)| list[..*i].contains(p))
        {
            Some((_, twice)) => Err(format!("provider {twice} is named twice")),
            None => Ok(Self(list)),
        }
    }

    /// The provider that is tried first.
    pub fn preferred(&self) -> Provider {
        self.0[0]
    }

    /// All providers, in order of preference.
    pub fn as_slice(&self) -> &[Provider] {
        &self.0
    }
}

impl Default for Providers {
    fn default() -> Self {
        Provider::Cpu.into()
    }
}

impl From<Provider> for Providers {
    fn from(provider: Provider) -> Self {
        Self(vec![provider])
    }
}

impl From<Providers> for Vec<Provider> {
    fn from(providers: Providers) -> Self {
        providers.0
    }
}

impl TryFrom<Vec<String>> for Providers {
    type Error = String;

    fn try_from(names: Vec<String>) -> Result<Self, String> {
        let list: Result<_, _> = names.iter().map(|name| name.parse()).collect();
        Self::new(list?)
    }
}

impl fmt::Display for Providers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, provider) in self.0.iter().enumerate() {
            if index > 0 {
                f.write_str(",")?;
            }
            write!(f, "{provider}")?;
        }
        Ok(())
    }
}

impl FromStr for Providers {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let list: Result<_, _> = text.split(',').map(|name| name.trim().parse()).collect();
        Self::new(list?)
    }
}

/// A provider of the list that was tried before the one in use, and why it is not.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Declined {
    /// The provider.
    pub provider: Provider,
    /// The reason why it cannot be used, which names the provider.
    pub reason: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_go_both_ways() {
        for provider in [Provider::Cpu, Provider::Cuda, Provider::TensorRt] {
            assert_eq!(provider.to_string().parse(), Ok(provider));
        }
        assert_eq!(
            "gpu".parse::<Provider>(),
            Err("unknown provider \"gpu\", expected cpu, cuda or tensorrt".to_owned())
        );
    }

    #[test]
    fn lists_keep_their_order_and_name_each_provider_once() {
        let list: Providers = "tensorrt, cuda,cpu".parse().unwrap();
        assert_eq!(
            list.as_slice(),
            [Provider::TensorRt, Provider::Cuda, Provider::Cpu]
        );
        assert_eq!(list.to_string(), "tensorrt,cuda,cpu");
        assert_eq!(list.to_string().parse(), Ok(list));
        assert_eq!(
            "cuda,cpu,cuda".parse::<Providers>(),
            Err("provider cuda is named twice".to_owned())
        );
        for wrong in ["", "cuda,", "cuda;cpu"] {
            assert!(wrong.parse::<Providers>().is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn a_list_of_providers_is_read_from_a_configuration() {
        #[derive(Debug, Serialize, Deserialize)]
        struct Section {
            providers: Providers,
        }
        let read = |text: &str| toml::from_str::<Section>(text);
        let text = "providers = [\"cuda\", \"cpu\"]\n";
        let section = read(text).unwrap();
        assert_eq!(section.providers, "cuda,cpu".parse().unwrap());
        assert_eq!(toml::to_string(&section).unwrap(), text);
        for (wrong, words) in [
            ("providers = []", "at least one of cpu, cuda, tensorrt"),
            ("providers = [\"gpu\"]", "unknown provider \"gpu\""),
            ("providers = \"cuda\"", "expected a sequence"),
        ] {
            let error = read(wrong).unwrap_err().to_string();
            assert!(error.contains(words), "{error}");
        }
    }
}
