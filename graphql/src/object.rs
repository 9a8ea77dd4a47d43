//! Objects that stand for rows: each field names the columns it is made of, once, for its resolver and for access.

use crate::errors;
use crate::scalars::{Code, Date, DateTime, Fen};
use async_graphql::{Context, ID};
use domain::Error;
use domain::access::Decision;
use domain::read::{Page, Record, Related};
use domain::store::Cell;
use entity::{CodedEnum, DataClass, DivisionCode};
use std::sync::Arc;

/// A type with a row behind it.
pub trait Object: Send + Sync + Sized {
    const TYPE: &'static crate::fields::ObjectType;
    fn new(record: Arc<Record>) -> Self;
}

/// The cell of a column; a denied one is noted and absent.
fn cell<'r>(ctx: &Context<'_>, record: &'r Record, column: &str) -> Option<&'r Cell> {
    match record.cell(column) {
        Cell::Denied => {
            let class = record.table.column(column).map_or(DataClass::Sealed, |at| record.table.columns[at].class);
            errors::deny(ctx, class.name());
            None
        }
        Cell::Unread => {
            errors::report(ctx, &Error::internal(format!("{}.{column} was selected but not read", record.table.name)));
            None
        }
        Cell::Null => None,
        cell => Some(cell),
    }
}

pub fn text(ctx: &Context<'_>, record: &Record, column: &str) -> Option<String> {
    cell(ctx, record, column).and_then(Cell::text).map(str::to_owned)
}
pub fn int(ctx: &Context<'_>, record: &Record, column: &str) -> Option<i64> {
    cell(ctx, record, column).and_then(Cell::int)
}
/// A number that is stored as a sealed text.
pub fn sealed_int(ctx: &Context<'_>, record: &Record, column: &str) -> Option<i64> {
    cell(ctx, record, column).and_then(Cell::text).and_then(|text| text.parse().ok())
}
pub fn boolean(ctx: &Context<'_>, record: &Record, column: &str) -> Option<bool> {
    cell(ctx, record, column).and_then(|c| if let Cell::Bool(b) = c { Some(*b) } else { None })
}
pub fn date(ctx: &Context<'_>, record: &Record, column: &str) -> Option<Date> {
    cell(ctx, record, column).and_then(|c| if let Cell::Date(d) = c { Some(Date(*d)) } else { None })
}
pub fn time(ctx: &Context<'_>, record: &Record, column: &str) -> Option<DateTime> {
    cell(ctx, record, column).and_then(|c| if let Cell::Time(t) = c { Some(DateTime(*t)) } else { None })
}
pub fn fen(ctx: &Context<'_>, record: &Record, column: &str) -> Option<Fen> {
    int(ctx, record, column).map(Fen)
}
pub fn hex(ctx: &Context<'_>, record: &Record, column: &str) -> Option<String> {
    cell(ctx, record, column).and_then(|c| if let Cell::Bytes(b) = c { Some(b.iter().map(|b| format!("{b:02x}")).collect()) } else { None })
}
pub fn code<T: CodedEnum>(ctx: &Context<'_>, record: &Record, column: &str) -> Option<Code<T>> {
    cell(ctx, record, column).and_then(Cell::text).and_then(T::from_name).map(Code)
}
/// A column that holds several words.
pub fn words(ctx: &Context<'_>, record: &Record, column: &str) -> Option<Vec<String>> {
    let separator: &[char] = &[',', ' '];
    cell(ctx, record, column).map(|c| c.text().unwrap_or_default().split(separator).filter(|w| !w.is_empty()).map(str::to_owned).collect())
}
/// The ids of the objects of an audit record.
pub fn object_ids(ctx: &Context<'_>, record: &Record, column: &str) -> Option<Vec<String>> {
    let objects = cell(ctx, record, column)?.text().unwrap_or_default();
    Some(domain::audit::named("", objects).into_iter().map(|named| crate::ids::of(&named.type_name, named.id).0).collect())
}
/// The objects of an audit record, each with the classes disclosed of it.
pub fn disclosures(ctx: &Context<'_>, record: &Record, column: &str) -> Option<Vec<crate::types::accounts::Disclosure>> {
    let objects = cell(ctx, record, column)?.text().unwrap_or_default();
    let classes = cell(ctx, record, "classes")?.text().unwrap_or_default();
    let all = domain::audit::named(classes, objects).into_iter();
    Some(all.map(|named| crate::types::accounts::Disclosure { object_id: crate::ids::of(&named.type_name, named.id), data_classes: named.classes }).collect())
}
pub fn division_code(ctx: &Context<'_>, record: &Record, column: &str) -> Option<String> {
    int(ctx, record, column).and_then(DivisionCode::new).map(|d| d.to_string())
}
pub fn version(record: &Record) -> i64 {
    record.cell("version").int().unwrap_or_default()
}
pub fn global_id(record: &Record) -> ID {
    crate::ids::global(record.table, record.key())
}

fn related<'r>(ctx: &Context<'_>, record: &'r Record) -> Option<&'r Related> {
    let key = crate::selection::link_key(&ctx.item.node);
    let found = record.related.get(&key);
    if found.is_none() {
        errors::report(ctx, &Error::internal(format!("link {key} of {} was not followed", record.table.name)));
    }
    if let Some(Related::Denied) = found {
        let class = crate::fields::OBJECTS
            .get(record.table.type_name)
            .and_then(|object| crate::fields::field(object.name, &ctx.item.node.name.node))
            .and_then(|field| field.link(record.table))
            .map_or(DataClass::Sealed, |link| link.class);
        errors::deny(ctx, class.name());
        return None;
    }
    found
}

pub fn one<T: Object>(ctx: &Context<'_>, record: &Record) -> Option<T> {
    match related(ctx, record)? {
        Related::One(found) => found.clone().map(T::new),
        _ => None,
    }
}
pub fn page(ctx: &Context<'_>, record: &Record) -> Option<Arc<Page>> {
    match related(ctx, record)? {
        Related::Many(page) => Some(page.clone()),
        _ => None,
    }
}
pub fn list<T: Object>(ctx: &Context<'_>, record: &Record) -> Option<Vec<T>> {
    page(ctx, record).map(|page| page.rows.iter().map(|(_, record)| T::new(record.clone())).collect())
}

/// What the viewer may do with one row.
pub fn viewer_access(record: &Record) -> crate::types::viewer::ViewerAccess {
    let access = &record.access;
    let classes = DataClass::ALL
        .iter()
        .map(|class| crate::types::viewer::ClassAccess {
            data_class: class.name().to_owned(),
            decision: match access.decisions.of(*class) {
                Decision::Show => crate::types::viewer::AccessDecision::Shown,
                Decision::Mask => crate::types::viewer::AccessDecision::Masked,
                Decision::Deny => crate::types::viewer::AccessDecision::Denied,
            },
            writable: access.write.contains(class),
        })
        .collect();
    crate::types::viewer::ViewerAccess { actions: access.actions.iter().cloned().collect(), classes }
}

/// Declares an object type over a table. Kinds: text, int, sealed_int, boolean, date, time, fen, hex, words, division_code,
/// code(Enum). A trailing `always` tells clients that a value always exists when it is not denied.
#[macro_export]
macro_rules! object {
    ($(#[doc = $doc:literal])+ $name:ident of $table:ident {
        $($(#[doc = $fdoc:literal])+ $field:ident : $kind:ident $(($enum:ident))? = $col:ident $(, $always:ident)? ;)*
        $(one { $($(#[doc = $odoc:literal])+ $one:ident $(as $olink:ident)? -> $oty:ident ;)* })?
        $(list { $($(#[doc = $ldoc:literal])+ $list:ident $(as $llink:ident)? -> $lty:ident ;)* })?
        $(many { $($(#[doc = $mdoc:literal])+ $many:ident $(as $mlink:ident)? -> $mty:ident ;)* })?
    } $($rest:tt)*) => {
        $(#[doc = $doc])+
        pub struct $name(pub std::sync::Arc<domain::read::Record>);

        impl $crate::object::Object for $name {
            const TYPE: &'static $crate::fields::ObjectType = &$crate::fields::ObjectType {
                name: stringify!($name),
                table: &entity::tables::$table::TABLE,
                fields: &[
                    $($crate::fields::Field { rust_name: stringify!($field), source: $crate::fields::Source::Columns($crate::object!(@columns $kind $col)), leaf: $crate::object!(@leaf $kind $($enum)?) },)*
                    $($($crate::fields::Field { rust_name: stringify!($one), source: $crate::fields::Source::One($crate::object!(@link $one $($olink)?)), leaf: $crate::fields::Leaf::Other },)*)?
                    $($($crate::fields::Field { rust_name: stringify!($list), source: $crate::fields::Source::List($crate::object!(@link $list $($llink)?)), leaf: $crate::fields::Leaf::Other },)*)?
                    $($($crate::fields::Field { rust_name: stringify!($many), source: $crate::fields::Source::Connection($crate::object!(@link $many $($mlink)?)), leaf: $crate::fields::Leaf::Other },)*)?
                    $crate::fields::Field { rust_name: "version", source: $crate::fields::Source::Columns(&["version"]), leaf: $crate::fields::Leaf::Version },
                ],
            };
            fn new(record: std::sync::Arc<domain::read::Record>) -> Self {
                $name(record)
            }
        }

        $(#[doc = $doc])+
        #[async_graphql::Object]
        impl $name {
            /// Global id, `Type:key`.
            pub async fn id(&self) -> async_graphql::ID {
                $crate::object::global_id(&self.0)
            }
            $(
                $(#[doc = $fdoc])+
                $(#[graphql(directive = $crate::directives::semanticNonNull::apply($crate::directives::$always))])?
                async fn $field(&self, ctx: &async_graphql::Context<'_>) -> Option<$crate::object!(@type $kind $($enum)?)> {
                    $crate::object!(@get $kind $($enum)?)(ctx, &self.0, stringify!($col))
                }
            )*
            $($(
                $(#[doc = $odoc])+
                async fn $one(&self, ctx: &async_graphql::Context<'_>) -> Option<$oty> {
                    $crate::object::one(ctx, &self.0)
                }
            )*)?
            $($(
                $(#[doc = $ldoc])+
                async fn $list(&self, ctx: &async_graphql::Context<'_>) -> Option<Vec<$lty>> {
                    $crate::object::list(ctx, &self.0)
                }
            )*)?
            $($(
                $(#[doc = $mdoc])+
                #[allow(unused_variables)]
                async fn $many(
                    &self,
                    ctx: &async_graphql::Context<'_>,
                    #[graphql(desc = "How many from the beginning, at most 100; 20 when neither first nor last is given.")] first: Option<i32>,
                    #[graphql(desc = "Go on after this cursor.")] after: Option<String>,
                    #[graphql(desc = "How many from the end, at most 100.")] last: Option<i32>,
                    #[graphql(desc = "Go back before this cursor.")] before: Option<String>,
                ) -> Option<$mty> {
                    $crate::object::page(ctx, &self.0).map($mty)
                }
            )*)?
            $($rest)*
        }
    };
    (@columns disclosures $col:ident) => { &[stringify!($col), "classes"] };
    (@columns $kind:ident $col:ident) => { &[stringify!($col)] };
    (@link $name:ident) => { stringify!($name) };
    (@link $name:ident $link:ident) => { stringify!($link) };
    (@leaf text) => { $crate::fields::Leaf::Text };
    (@leaf int) => { $crate::fields::Leaf::Int };
    (@leaf fen) => { $crate::fields::Leaf::Int };
    (@leaf sealed_int) => { $crate::fields::Leaf::SealedInt };
    (@leaf boolean) => { $crate::fields::Leaf::Boolean };
    (@leaf date) => { $crate::fields::Leaf::Date };
    (@leaf time) => { $crate::fields::Leaf::Time };
    (@leaf hex) => { $crate::fields::Leaf::Hex };
    (@leaf words) => { $crate::fields::Leaf::Words };
    (@leaf division_code) => { $crate::fields::Leaf::DivisionCode };
    (@leaf code $enum:ident) => { $crate::fields::Leaf::Code($crate::fields::coded::<entity::codes::$enum>) };
    (@leaf $kind:ident) => { $crate::fields::Leaf::Other };
    (@type text) => { String };
    (@type int) => { i64 };
    (@type sealed_int) => { i64 };
    (@type boolean) => { bool };
    (@type date) => { $crate::scalars::Date };
    (@type time) => { $crate::scalars::DateTime };
    (@type fen) => { $crate::scalars::Fen };
    (@type hex) => { String };
    (@type words) => { Vec<String> };
    (@type object_ids) => { Vec<String> };
    (@type disclosures) => { Vec<$crate::types::accounts::Disclosure> };
    (@type division_code) => { String };
    (@type code $enum:ident) => { $crate::scalars::Code<entity::codes::$enum> };
    (@get code $enum:ident) => { $crate::object::code::<entity::codes::$enum> };
    (@get $kind:ident) => { $crate::object::$kind };
}

/// Declares a Relay connection with its edge.
#[macro_export]
macro_rules! connection {
    ($($name:ident $edge:ident $node:ident $what:literal;)+) => {$(
        #[doc = concat!("A page of ", $what, ".")]
        pub struct $name(pub std::sync::Arc<domain::read::Page>);

        #[doc = concat!("A page of ", $what, ".")]
        #[async_graphql::Object]
        impl $name {
            #[doc = concat!("The ", $what, " of this page, each with its cursor.")]
            async fn edges(&self) -> Vec<$edge> {
                self.0.rows.iter().map(|(cursor, record)| $edge { cursor: cursor.clone(), node: <$node as $crate::object::Object>::new(record.clone()) }).collect()
            }
            #[doc = concat!("The ", $what, " of this page.")]
            async fn nodes(&self) -> Vec<$node> {
                self.0.rows.iter().map(|(_, record)| <$node as $crate::object::Object>::new(record.clone())).collect()
            }
            /// Whether there is more, and where this page begins and ends.
            async fn page_info(&self) -> $crate::types::PageInfo {
                $crate::types::PageInfo {
                    has_next_page: self.0.has_next,
                    has_previous_page: self.0.has_previous,
                    start_cursor: self.0.rows.first().map(|(cursor, _)| cursor.clone()),
                    end_cursor: self.0.rows.last().map(|(cursor, _)| cursor.clone()),
                }
            }
            #[doc = concat!("How many ", $what, " there are in all, as far as you may see them. Counted only when selected.")]
            async fn total_count(&self) -> Option<i64> {
                self.0.total
            }
        }

        #[doc = concat!("One of the ", $what, " with its cursor.")]
        #[derive(async_graphql::SimpleObject)]
        pub struct $edge {
            /// Where to go on from here.
            pub cursor: String,
            /// The object itself.
            pub node: $node,
        }
    )+};
}
