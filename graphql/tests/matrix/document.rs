//! Documents made from the schema, so that a new field is in them without anybody adding it.

use async_graphql::parser::types::{BaseType, Type, TypeKind, TypeSystemDefinition};
use async_graphql::parser::parse_schema;
use graphql::fields::{OBJECTS, ObjectType, Source, camel};
use std::collections::BTreeMap;
use std::fmt::Write;
use std::sync::LazyLock;

/// What is on record before the test looks itself.
pub const OLD: &str = "until: \"2026-11-24T02:30:00Z\"";

pub struct FieldDef {
    pub name: String,
    pub ty: Type,
    pub arguments: Vec<(String, Type, bool)>,
}

/// Objects, inputs and enums by name.
pub struct Sdl {
    pub objects: BTreeMap<String, Vec<FieldDef>>,
    /// Field, type, whether it must be given.
    pub inputs: BTreeMap<String, Vec<(String, Type, bool)>>,
    pub enums: BTreeMap<String, Vec<String>>,
}

pub fn base(ty: &Type) -> &str {
    match &ty.base {
        BaseType::Named(name) => name.as_str(),
        BaseType::List(inner) => base(inner),
    }
}

pub fn is_list(ty: &Type) -> bool {
    matches!(ty.base, BaseType::List(_))
}

pub static SDL: LazyLock<Sdl> = LazyLock::new(|| {
    let mut sdl = Sdl { objects: BTreeMap::new(), inputs: BTreeMap::new(), enums: BTreeMap::new() };
    for definition in parse_schema(graphql::Schema::sdl()).expect("parses").definitions {
        let TypeSystemDefinition::Type(definition) = definition else { continue };
        let name = definition.node.name.node.to_string();
        match definition.node.kind {
            TypeKind::Object(object) => {
                let fields = object.fields.into_iter().map(|f| FieldDef {
                    name: f.node.name.node.to_string(),
                    ty: f.node.ty.node,
                    arguments: f.node.arguments.into_iter().map(|a| (a.node.name.node.to_string(), a.node.ty.node.clone(), !a.node.ty.node.nullable && a.node.default_value.is_none())).collect(),
                });
                sdl.objects.insert(name, fields.collect());
            }
            TypeKind::InputObject(input) => {
                let fields = input.fields.into_iter().map(|f| {
                    let must = !f.node.ty.node.nullable && f.node.default_value.is_none();
                    (f.node.name.node.to_string(), f.node.ty.node, must)
                });
                sdl.inputs.insert(name, fields.collect());
            }
            TypeKind::Enum(values) => {
                sdl.enums.insert(name, values.values.into_iter().map(|v| v.node.value.node.to_string()).collect());
            }
            _ => {}
        }
    }
    sdl
});

fn served(object: &ObjectType, field: &str) -> bool {
    SDL.objects[object.name].iter().any(|f| f.name == field)
}

/// Every field made of columns, each under `Type_field`.
fn scalars(object: &ObjectType, out: &mut String) {
    out.push_str(" id ");
    for field in object.fields {
        let name = camel(field.rust_name);
        if matches!(field.source, Source::Columns(_)) && served(object, &name) {
            // A value of several parts is asked for with all of them.
            let ty = &SDL.objects[object.name].iter().find(|f| f.name == name).expect("served").ty;
            let parts = SDL.objects.get(base(ty)).map_or_else(String::new, |parts| {
                format!("{{ {} }} ", parts.iter().map(|part| part.name.as_str()).collect::<Vec<_>>().join(" "))
            });
            let _ = write!(out, "{}_{name}: {name} {parts}", object.name);
        }
    }
    if served(object, "viewerAccess") {
        let _ = write!(out, "{}_viewerAccess: viewerAccess {{ actions classes {{ dataClass decision writable }} }} ", object.name);
    }
}

/// All fields of an object; what it links to, with all of its fields made of columns.
pub fn whole(object: &ObjectType) -> String {
    let mut out = own(object);
    out.extend(links(object));
    out
}

/// All fields made of columns.
pub fn own(object: &ObjectType) -> String {
    let mut out = String::new();
    scalars(object, &mut out);
    out
}

/// What it links to, one selection a link.
pub fn links(object: &ObjectType) -> Vec<String> {
    let mut all = Vec::new();
    for field in object.fields {
        let Some(link) = field.link(object.table) else { continue };
        let Some(target) = OBJECTS.get(link.to.type_name) else { continue };
        let (name, inner) = (camel(field.rust_name), own(target));
        all.push(match field.source {
            Source::Connection(_) => {
                let rows = if object.table.family == entity::Family::Reference { 2 } else { 50 };
                format!("{}_{name}: {name}(first: {rows}) {{ totalCount nodes {{ {inner} }} edges {{ node {{ id }} }} }} ", object.name)
            }
            _ => format!("{}_{name}: {name} {{ {inner} }} ", object.name),
        });
    }
    all
}

/// Objects of a type by their ids.
pub fn by_id(name: &str) -> String {
    by_id_with(name, &whole(OBJECTS[name]))
}

pub fn by_id_with(name: &str, fields: &str) -> String {
    format!("query($ids: [ID!]!) {{ nodes(ids: $ids) {{ __typename ... on {name} {{ {fields} }} }} }}")
}

/// The type a connection is of; None: it is no connection of stored objects.
pub fn node_type(connection: &str) -> Option<&'static ObjectType> {
    OBJECTS.get(connection.strip_suffix("Connection")?).copied()
}

/// A list at the root.
pub struct List {
    pub name: String,
    pub object: &'static ObjectType,
    text: String,
}

/// The lists in one document.
pub fn all_of(lists: &[List]) -> String {
    format!("{{ {}}}", lists.iter().map(|list| list.text.as_str()).collect::<String>())
}

/// Every list at the root: all rows by both ways, with their count.
pub fn lists() -> Vec<List> {
    let mut all = Vec::new();
    for field in &SDL.objects["Query"] {
        let Some(object) = node_type(base(&field.ty)) else { continue };
        let (name, inner) = (field.name.clone(), own(object));
        // The audit trail grows at its new end while this test looks.
        let old = if object.table.family == entity::Family::Audit { format!(", filter: {{ {OLD} }}") } else { String::new() };
        let text = format!("{name}(first: 100{old}) {{ totalCount edges {{ cursor node {{ {inner} }} }} nodes {{ {inner} }} }} ");
        all.push(List { name, object, text });
    }
    all
}

/// A root field that gives one object by its id: name, document, type.
pub type Single = (String, String, &'static ObjectType);

pub fn singles() -> Vec<Single> {
    let mut all = Vec::new();
    for field in &SDL.objects["Query"] {
        let Some(object) = OBJECTS.get(base(&field.ty)).copied() else { continue };
        if let [(argument, ty, true)] = &field.arguments[..]
            && base(ty) == "ID"
            && !is_list(&field.ty)
        {
            all.push((field.name.clone(), format!("query($id: ID!) {{ {}({argument}: $id) {{ {} }} }}", field.name, whole(object)), object));
        }
    }
    all
}
