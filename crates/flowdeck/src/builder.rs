//! Builds a runtime: data folder or store, key, clock, apps, and what an operator may choose.
//!
//! Must never read the environment: the program that knows the settings fills them in.
//! Tests: `tests/open.rs`, `tests/apps.rs`.

use std::path::PathBuf;
use std::sync::Arc;

use flowdeck_connections::{KeyVault, MasterKey, OsRandom, Registry, RegistryOptions, RegistryParts};
use flowdeck_egress::{AllowedTarget, Egress, Policy};
use flowdeck_engine::ports::{Clock, Store};
use flowdeck_engine::{Engine, Limits, Parts};
use flowdeck_store::{FolderLock, MemoryStore, Options, SledStore};
use indexmap::IndexMap;
use tokio::sync::watch;

use crate::catalogue::Cards;
use crate::clock::{HostClock, SystemClock};
use crate::error::RuntimeError;
use crate::folder::DataFolder;
use crate::host::Host;
use crate::people::PasswordCost;
use crate::prompts::PromptHandler;
use crate::runtime::{Runtime, Wired};
use crate::starter::{AppStarter, Watched};

/// Builds a [`Runtime`]. Cheap to clone, so that one description can be opened again.
///
/// ```
/// # async fn example() -> Result<(), flowdeck::RuntimeError> {
/// let runtime = flowdeck::Runtime::builder().memory().open().await?;
/// assert!(runtime.connections().connections(None).await.unwrap().is_empty());
/// # Ok(())
/// # }
/// # tokio::runtime::Runtime::new().unwrap().block_on(example()).unwrap();
/// ```
#[derive(Clone)]
pub struct RuntimeBuilder {
    place: Place,
    store_options: Options,
    clock: Arc<dyn Clock>,
    key: Key,
    app_files: Vec<(String, String)>,
    variables: IndexMap<String, String>,
    starter: Option<Arc<dyn AppStarter>>,
    handler: Option<Arc<dyn PromptHandler>>,
    registry: RegistryOptions,
    policy: Policy,
    allow_private: Vec<String>,
    proxy: Option<String>,
    limits: Limits,
    seed: Option<u64>,
    password_cost: PasswordCost,
    looks: bool,
}

/// Where everything durable lives.
#[derive(Debug, Clone)]
enum Place {
    Nowhere,
    Folder(DataFolder),
    Own(Arc<dyn Store>),
    Memory,
}

#[derive(Debug, Clone)]
enum Key {
    None,
    File(PathBuf),
    Held(MasterKey),
}

impl std::fmt::Debug for RuntimeBuilder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RuntimeBuilder").field("place", &self.place).field("key", &self.key).finish_non_exhaustive()
    }
}

impl Default for RuntimeBuilder {
    fn default() -> Self {
        Self {
            place: Place::Nowhere,
            store_options: Options::default(),
            clock: Arc::new(SystemClock::default()),
            key: Key::None,
            app_files: Vec::new(),
            variables: IndexMap::new(),
            starter: None,
            handler: None,
            registry: RegistryOptions::default(),
            policy: Policy::default(),
            allow_private: Vec::new(),
            proxy: None,
            limits: Limits::default(),
            seed: None,
            password_cost: PasswordCost::default(),
            looks: false,
        }
    }
}

impl RuntimeBuilder {
    /// Keeps everything in a data folder: the store in `<folder>/store`, a user's apps in `<folder>/apps/*.app.yaml`.
    #[must_use]
    pub fn data(mut self, folder: impl Into<PathBuf>) -> Self {
        self.place = Place::Folder(DataFolder::new(folder));
        self
    }

    /// Keeps everything in memory, for tests and for programs that keep nothing. Without a key a random one is used.
    #[must_use]
    pub fn memory(mut self) -> Self {
        self.place = Place::Memory;
        self
    }

    /// Keeps everything in a store of the caller's.
    #[must_use]
    pub fn store(mut self, store: Arc<dyn Store>) -> Self {
        self.place = Place::Own(store);
        self
    }

    /// How the store of a data folder is opened: sizes and limits.
    #[must_use]
    pub fn store_options(mut self, options: Options) -> Self {
        self.store_options = options;
        self
    }

    /// The time; the machine's clock where not set.
    #[must_use]
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = clock;
        self
    }

    /// The key file that seals secrets, made (mode 0600) where there is none. It must lie outside the data folder.
    #[must_use]
    pub fn key_file(mut self, path: impl Into<PathBuf>) -> Self {
        self.key = Key::File(path.into());
        self
    }

    /// The key that seals secrets, for programs that keep it elsewhere.
    #[must_use]
    pub fn key_bytes(self, bytes: [u8; 32]) -> Self {
        self.key(MasterKey::from_bytes(bytes))
    }

    /// The keys that seal secrets.
    #[must_use]
    pub fn key(mut self, key: MasterKey) -> Self {
        self.key = Key::Held(key);
        self
    }

    /// Adds an app file: its name for messages, and its text.
    #[must_use]
    pub fn app_file(mut self, name: &str, text: &str) -> Self {
        self.app_files.push((name.to_owned(), text.to_owned()));
        self
    }

    /// Sets a variable that app files may use as `${app.name}` (`playground_url`).
    #[must_use]
    pub fn app_variable(mut self, name: &str, value: &str) -> Self {
        self.variables.insert(name.to_owned(), value.to_owned());
        self
    }

    /// Starts an app's own server when something is about to touch the app.
    #[must_use]
    pub fn app_starter(mut self, starter: Arc<dyn AppStarter>) -> Self {
        self.starter = Some(starter);
        self
    }

    /// Is asked whenever a connect prompt opens.
    #[must_use]
    pub fn prompt_handler(mut self, handler: Arc<dyn PromptHandler>) -> Self {
        self.handler = Some(handler);
        self
    }

    /// Allows plain http to a host (`localhost`, `localhost:4400`), and the host to be private.
    #[must_use]
    pub fn allow_http(mut self, host: &str) -> Self {
        self.registry.allow_http_hosts.push(host.to_owned());
        self
    }

    /// Allows private addresses over https: a host, an address or a network, with an optional port (`wiki.corp`,
    /// `10.0.0.0/8:8443`). Whoever writes a flow can then reach all that stands there.
    #[must_use]
    pub fn allow_private(mut self, target: &str) -> Self {
        self.allow_private.push(target.to_owned());
        self
    }

    /// The proxy that requests to public addresses go through: `http://proxy.corp:3128`. None of the environment is
    /// used.
    #[must_use]
    pub fn proxy(mut self, address: &str) -> Self {
        self.proxy = Some(address.to_owned());
        self
    }

    /// Port of the loopback redirect URI that is registered with providers; 8917 where not set.
    #[must_use]
    pub fn redirect_port(mut self, port: u16) -> Self {
        self.registry.redirect_port = port;
        self
    }

    /// Where browsers come back when it is not this machine's loopback: `https://flows.example.com`.
    #[must_use]
    pub fn redirect_base(mut self, base: &str) -> Self {
        self.registry.redirect_base = Some(base.to_owned());
        self
    }

    /// Everything the connection registry lets an operator choose. Hosts allowed so far are kept.
    #[must_use]
    pub fn registry_options(mut self, mut options: RegistryOptions) -> Self {
        options.allow_http_hosts.extend(self.registry.allow_http_hosts);
        self.registry = options;
        self
    }

    /// Everything an operator may choose about outgoing requests.
    #[must_use]
    pub fn egress_policy(mut self, policy: Policy) -> Self {
        self.policy = policy;
        self
    }

    /// Bounds of the engine.
    #[must_use]
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// Seed of run ids and of the randomness of steps, for tests; from the system's source where not set.
    #[must_use]
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = Some(seed);
        self
    }

    /// What a check of a password costs; the second recommendation of RFC 9106 where not set.
    #[must_use]
    pub fn password_cost(mut self, cost: PasswordCost) -> Self {
        self.password_cost = cost;
        self
    }

    /// The data folder, where one is set.
    #[must_use]
    pub fn data_folder(&self) -> Option<&DataFolder> {
        match &self.place {
            Place::Folder(folder) => Some(folder),
            _ => None,
        }
    }

    /// Opens the runtime and makes ready what became ready while nobody held the data. Nothing is driven yet:
    /// [`Runtime::start`] drives in the background, [`Runtime::run_until_idle`] drives here.
    ///
    /// # Errors
    /// [`RuntimeError::Held`] by which process, [`RuntimeError::Damaged`] with folder and remedy,
    /// [`RuntimeError::Key`] for a wrong or missing key, [`RuntimeError::AppFile`] for a bad app file,
    /// [`RuntimeError::Setting`].
    pub async fn open(self) -> Result<Runtime, RuntimeError> {
        self.open_with(None).await
    }

    /// As [`Self::open`], with the lock of the data folder's store already taken.
    ///
    /// # Errors
    /// As [`Self::open`]; [`RuntimeError::Setting`] where the lock is of another folder.
    pub async fn open_locked(self, lock: FolderLock) -> Result<Runtime, RuntimeError> {
        self.open_with(Some(lock)).await
    }

    /// Opens to look only: nothing is made ready, started, driven or asked, and starts are refused as
    /// [`RuntimeError::Stopping`]. A data folder that cannot be written is looked at in a private copy.
    ///
    /// # Errors
    /// As [`Self::open`]; [`RuntimeError::Key`] also where there is no key file yet: none is made.
    pub async fn look(mut self) -> Result<Runtime, RuntimeError> {
        (self.looks, self.starter, self.handler) = (true, None, None);
        let runtime = self.open_with(None).await?;
        runtime.refuse_work();
        Ok(runtime)
    }

    async fn open_with(self, lock: Option<FolderLock>) -> Result<Runtime, RuntimeError> {
        let mut files = self.data_folder().map(DataFolder::app_files).transpose()?.unwrap_or_default();
        files.extend(self.app_files.iter().cloned());
        let cards = Cards::with_files(&self.variables, &files)?;
        let mut policy = self.policy.clone();
        for host in &self.registry.allow_http_hosts {
            let target: AllowedTarget =
                host.parse().map_err(|e| RuntimeError::Setting(format!("allow http to `{host}`: {e}")))?;
            policy.allow_private.push(target);
        }
        for text in &self.allow_private {
            let target = text.parse().map_err(|e| RuntimeError::Setting(format!("allow the private `{text}`: {e}")))?;
            policy.allow_private_https.push(target);
        }
        policy.proxy = self.proxy.clone().or(policy.proxy);
        let named = policy.proxy.is_some();
        let egress = Egress::new(policy).map_err(|error| match named {
            true => RuntimeError::Setting(error.to_string()),
            false => error.into(),
        })?;
        let key = self.key_here()?;
        let store = self.open_store(lock).await?;
        let clock = Arc::new(HostClock::new(self.clock.clone()));
        let vault = Arc::new(KeyVault::new(key.clone(), Arc::new(OsRandom)));
        let registry = Registry::open(RegistryParts {
            store: store.clone(),
            clock: clock.clone(),
            egress: egress.clone(),
            apps: cards.apps().clone(),
            key,
            options: self.registry.clone(),
            random: Arc::new(OsRandom),
        })
        .await
        .map_err(|error| match error {
            flowdeck_connections::ConnectError::Sealed(cause) => cause.into(),
            other => RuntimeError::from(other),
        })?;
        let changes = watch::Sender::new(0);
        let watched = Watched { registry: registry.clone(), starter: self.starter.clone(), changes: changes.clone() };
        let authorizer: Arc<dyn flowdeck_engine::ports::Authorizer> = Arc::new(watched);
        let apps = flowdeck_apps::AppHost::new(cards.apps().clone(), egress);
        let host = Arc::new(Host { cards: cards.clone(), apps });
        let engine = Engine::new(Parts {
            store: store.clone(),
            clock: clock.clone(),
            cards: host.clone(),
            authorizer: authorizer.clone(),
            vault: vault.clone(),
            seed: self.seed.unwrap_or_else(rand::random),
            limits: self.limits.clone(),
        });
        if !self.looks {
            engine.recover().await?;
        }
        let (starter, handler) = (self.starter.clone(), self.handler);
        let keys = vault.clone();
        let wired = Wired { engine, authorizer, registry, cards, clock, changes, starter, handler, host, vault, keys };
        Runtime::wire(wired, self.password_cost).await
    }

    fn key_here(&self) -> Result<MasterKey, RuntimeError> {
        match (&self.key, &self.place) {
            (Key::Held(key), _) => Ok(key.clone()),
            (Key::File(path), place) => {
                if let Place::Folder(data) = place
                    && inside(path, data.path())
                {
                    let what = format!(
                        "the key file {} lies inside the data folder {}: a copy of the folder would hold key and \
                         secrets together; choose another place for it",
                        path.display(),
                        data.path().display()
                    );
                    return Err(RuntimeError::Key { what });
                }
                match MasterKey::load(path)? {
                    Some(key) => Ok(key),
                    // A new one would not fit what was sealed with another.
                    None if let Place::Folder(data) = place
                        && data.store().exists() =>
                    {
                        let what = format!(
                            "there is no key file {}, and the data folder {} was made with one; put it there, or name \
                             it with --key-file",
                            path.display(),
                            data.path().display()
                        );
                        Err(RuntimeError::Key { what })
                    }
                    None if self.looks => {
                        let what = format!("there is no key file {}; the first use makes it", path.display());
                        Err(RuntimeError::Key { what })
                    }
                    None => Ok(MasterKey::load_or_create(path, &OsRandom)?),
                }
            }
            (Key::None, Place::Memory) => Ok(MasterKey::from_bytes(rand::random())),
            (Key::None, _) => {
                Err(RuntimeError::Key { what: "no key seals the secrets; set `key_file`, `key_bytes` or `key`".into() })
            }
        }
    }

    async fn open_store(&self, lock: Option<FolderLock>) -> Result<Arc<dyn Store>, RuntimeError> {
        let folder = match &self.place {
            Place::Folder(folder) => folder.store(),
            Place::Own(store) => return Ok(store.clone()),
            Place::Memory => return Ok(Arc::new(MemoryStore::new())),
            Place::Nowhere => {
                let what = "where the data lives is not set; call `data`, `store` or `memory`";
                return Err(RuntimeError::Setting(what.into()));
            }
        };
        if lock.as_ref().is_some_and(|lock| lock.folder() != folder) {
            return Err(RuntimeError::Setting(format!("the lock is not that of {}", folder.display())));
        }
        let (options, looks) = (self.store_options.clone(), self.looks);
        let opening = tokio::task::spawn_blocking(move || match lock {
            Some(lock) => SledStore::open_locked(lock, options),
            None if looks => SledStore::look(folder, options),
            None => SledStore::open(folder, options),
        });
        let opened =
            opening.await.map_err(|error| RuntimeError::Setting(format!("opening the store broke: {error}")))?;
        Ok(Arc::new(opened?))
    }
}

/// Whether a path lies below a folder, as far as its parts exist.
fn inside(path: &std::path::Path, folder: &std::path::Path) -> bool {
    let real = |path: &std::path::Path| {
        let absolute = std::path::absolute(path).unwrap_or_else(|_| path.to_path_buf());
        let known = absolute.ancestors().find_map(|part| Some((part.canonicalize().ok()?, part.to_path_buf())));
        match known {
            Some((real, part)) => real.join(absolute.strip_prefix(part).unwrap_or(&absolute)),
            None => absolute,
        }
    };
    real(path).starts_with(real(folder))
}
