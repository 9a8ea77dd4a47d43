//! Global ids: `Type:key`. A client that makes an id itself writes the type before a UUIDv7.

use async_graphql::ID;
use domain::store::Cell;
use domain::{Error, Result};
use entity::Table;
use uuid::Uuid;

pub fn global(table: &Table, key: &Cell) -> ID {
    match key {
        Cell::Int(code) => ID(format!("{}:{code:012}", table.type_name)),
        Cell::Uuid(id) => ID(format!("{}:{id}", table.type_name)),
        _ => ID(table.type_name.to_owned()),
    }
}

pub fn of(type_name: &str, id: Uuid) -> ID {
    ID(format!("{type_name}:{id}"))
}

/// Splits a global id; None when it is none.
pub fn split(id: &str) -> Option<(&str, Cell)> {
    let (type_name, key) = id.split_once(':')?;
    if type_name == "Division" {
        return Some((type_name, Cell::Int(entity::DivisionCode::parse(key)?.value())));
    }
    Some((type_name, Cell::Uuid(Uuid::try_parse(key).ok()?)))
}

/// The key in an id of one type; a bare UUID is taken as such.
pub fn expect(id: &ID, type_name: &str, argument: &str) -> Result<Uuid> {
    match split(id) {
        Some((found, Cell::Uuid(key))) if found == type_name => Ok(key),
        None => Uuid::try_parse(id).map_err(|_| wrong(type_name, argument)),
        Some(_) => Err(wrong(type_name, argument)),
    }
}

fn wrong(type_name: &str, argument: &str) -> Error {
    Error::bad("BAD_ID", argument, format!("{argument} must be the id of a {type_name}, like {type_name}:01890a5d-ac96-774b-bcce-b302099a8057"))
}
