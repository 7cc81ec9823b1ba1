//! What is cached, and where it comes from.

use std::sync::{Arc, LazyLock};

use serde::{Deserialize, Serialize};

/// Twenty fields; a copy takes eleven allocations.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Project {
    id: u64,
    key: String,
    name: String,
    description: String,
    owner: String,
    repository: String,
    license: String,
    homepage: Option<String>,
    status: Status,
    public: bool,
    archived: bool,
    stars: u32,
    forks: u32,
    open_issues: u32,
    budget: f64,
    created_at: i64,
    updated_at: i64,
    closed_at: Option<i64>,
    tags: Vec<String>,
    members: Vec<u64>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
enum Status {
    Planned,
    Active,
    Paused { since: i64 },
}

/// So small that its entry in the store takes 100 bytes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Note {
    text: String,
}

#[derive(Clone, Debug)]
pub(crate) struct Missing;

/// How many there are of each; hits go round them. So many that tasks seldom
/// meet at one, and a prime, so that every task goes round all of them.
pub(crate) const ENTRIES: u64 = 10_007;

/// Everything in the database, so to say: asking for it costs nothing.
pub(crate) struct Source {
    projects: Vec<Arc<Project>>,
    notes: Vec<Arc<Note>>,
    names: Vec<String>,
}

pub(crate) static SOURCE: LazyLock<Source> = LazyLock::new(|| Source {
    projects: (0..ENTRIES).map(|id| Arc::new(Project::new(id))).collect(),
    notes: (0..ENTRIES).map(|id| Arc::new(Note::new(id))).collect(),
    names: (0..ENTRIES).map(|id| format!("project-{id:012}")).collect(),
});

impl Source {
    pub(crate) fn project(&self, id: u64) -> &Arc<Project> {
        &self.projects[index(id)]
    }

    pub(crate) fn note(&self, id: u64) -> &Arc<Note> {
        &self.notes[index(id)]
    }

    /// Twenty bytes that name a project.
    pub(crate) fn name(&self, id: u64) -> &str {
        &self.names[index(id)]
    }
}

/// The entry that an operation hits. Neighbours are far apart, as in a service:
/// a walk along the entries, or one in steps of the number of tasks, would show
/// what the processor's caches make of it.
pub(crate) fn entry(number: u64) -> u64 {
    const STRIDE: u64 = 7_919;
    number * STRIDE % ENTRIES
}

fn index(id: u64) -> usize {
    usize::try_from(id % ENTRIES).expect("there are few entries")
}

/// The project of a name.
pub(crate) fn id_of(name: &str) -> u64 {
    let digits = name.strip_prefix("project-").map(str::parse);
    digits.and_then(Result::ok).unwrap_or_default()
}

impl Project {
    fn new(id: u64) -> Self {
        let at = 1_767_225_600 + id.cast_signed();
        Self {
            id,
            key: format!("PRJ-{id:06}"),
            name: format!("Project number {id}"),
            description: "Keeps what was read once, and tells when it has changed since".repeat(2),
            owner: format!("team-{}", id % 40),
            repository: format!("https://git.example.org/team-{}/project-{id}", id % 40),
            license: "MIT OR Apache-2.0".to_owned(),
            homepage: Some(format!("https://project-{id}.example.org")),
            status: match id % 3 {
                0 => Status::Planned,
                1 => Status::Active,
                _ => Status::Paused { since: at },
            },
            public: id.is_multiple_of(2),
            archived: id.is_multiple_of(7),
            stars: 1_200,
            forks: 87,
            open_issues: 14,
            budget: 1_250.75,
            created_at: at,
            updated_at: at + 86_400,
            closed_at: None,
            tags: vec!["cache".to_owned(), "coherence".to_owned()],
            members: (id..id + 8).collect(),
        }
    }
}

impl Note {
    fn new(id: u64) -> Self {
        Self {
            text: format!("note {id:022}"),
        }
    }
}
