//! Which columns each field is made of: what access, look-ahead and the documentation go by.

use domain::read::links::{Link, link};
use entity::{DataClass, Table};
use std::collections::HashMap;
use std::sync::LazyLock;

/// One field of an object type that stands for a table.
#[derive(Debug)]
pub struct Field {
    pub rust_name: &'static str,
    pub source: Source,
    pub leaf: Leaf,
}

/// How the value of a column is written.
#[derive(Clone, Copy, Debug)]
pub enum Leaf {
    Text,
    Int,
    SealedInt,
    Boolean,
    Date,
    Time,
    Hex,
    Words,
    DivisionCode,
    /// The name of an enum's value, if it is one.
    Code(fn(&str) -> Option<&'static str>),
    Version,
    /// A link, or made by a resolver of its own.
    Other,
}

/// The name of a coded value.
pub fn coded<T: entity::CodedEnum>(text: &str) -> Option<&'static str> {
    T::from_name(text).map(|value| value.name())
}

#[derive(Debug)]
pub enum Source {
    /// Made of these columns; as strict as the strictest.
    Columns(&'static [&'static str]),
    One(&'static str),
    Connection(&'static str),
    List(&'static str),
}

#[derive(Debug)]
pub struct ObjectType {
    pub name: &'static str,
    pub table: &'static Table,
    pub fields: &'static [Field],
}

pub fn camel(snake: &str) -> String {
    let mut out = String::with_capacity(snake.len());
    let mut up = false;
    for c in snake.chars() {
        if c == '_' {
            up = true;
        } else if std::mem::take(&mut up) {
            out.extend(c.to_uppercase());
        } else {
            out.push(c);
        }
    }
    out
}

/// Every object type that stands for a table.
pub static OBJECTS: LazyLock<HashMap<&'static str, &'static ObjectType>> =
    LazyLock::new(|| crate::types::OBJECT_TYPES.iter().map(|object| (object.name, *object)).collect());

static BY_NAME: LazyLock<HashMap<(&'static str, String), &'static Field>> = LazyLock::new(|| {
    let all = crate::types::OBJECT_TYPES.iter();
    all.flat_map(|object| object.fields.iter().map(|field| ((object.name, camel(field.rust_name)), field))).collect()
});

pub fn field(object: &'static str, name: &str) -> Option<&'static Field> {
    BY_NAME.get(&(object, name.to_owned())).copied()
}

impl Field {
    pub fn link(&self, table: &Table) -> Option<&'static Link> {
        match self.source {
            Source::One(name) | Source::Connection(name) | Source::List(name) => link(table, name),
            Source::Columns(_) => None,
        }
    }

    /// The strictest class of what the field is made of.
    pub fn classes(&self, table: &Table) -> Vec<DataClass> {
        match self.source {
            Source::Columns(columns) => columns.iter().filter_map(|c| table.column(c)).map(|at| table.columns[at].class).collect(),
            _ => self.link(table).map(|l| l.class).into_iter().collect(),
        }
    }
}
