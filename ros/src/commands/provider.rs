//! Where a bundle's graphs are computed, for every command that loads one.

use std::path::PathBuf;

use clap::Args;
use latco_controller::config::BundleSection;
use latco_models::{LoadOptions, Providers};

/// The execution provider of a bundle's graphs, on the command line.
#[derive(Clone, Debug, Default, Args)]
pub struct ProviderArgs {
    /// Execution provider: cpu, cuda or tensorrt, or several in order of preference (tensorrt,cuda,cpu)
    #[arg(long = "provider", value_name = "LIST")]
    pub providers: Option<Providers>,
    /// Folder under which TensorRT's engines are kept [default: latco/tensorrt in the user's cache folder]
    #[arg(long, value_name = "DIR")]
    pub engine_cache: Option<PathBuf>,
}

impl ProviderArgs {
    /// Puts the provider of the command line in the place of the configuration's.
    pub fn apply(&self, bundle: &mut BundleSection) {
        if let Some(providers) = &self.providers {
            bundle.providers = providers.clone();
        }
        if let Some(folder) = &self.engine_cache {
            bundle.engine_cache = Some(folder.to_string_lossy().into_owned());
        }
    }

    /// Options to load a bundle without a configuration: on the CPU unless the command line says otherwise.
    pub fn load_options(&self) -> LoadOptions {
        LoadOptions {
            providers: self.providers.clone().unwrap_or_default(),
            engine_cache: self.engine_cache.clone(),
            ..LoadOptions::default()
        }
    }
}
