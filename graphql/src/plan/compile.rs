//! From a validated document to what is read and what is written, once.

use crate::fields::{self, Leaf, ObjectType, Source};
use crate::object::Object;
use crate::selection::link_key;
use crate::types::Child;
use async_graphql::parser::types::{Directive, ExecutableDocument, Field, OperationDefinition, OperationType, Selection, SelectionSet};
use async_graphql::{Name, Pos, Positioned};
use async_graphql_value::{ConstValue, Value};
use domain::read::links::Link;
use entity::{DataClass, Table};
use std::collections::HashMap;

/// An operation that can go the short way.
#[derive(Debug)]
pub struct Compiled {
    pub(super) roots: Vec<Root>,
    pub(super) variables: HashMap<Name, Declared>,
}

/// A variable as the operation declares it.
#[derive(Debug)]
pub(super) struct Declared {
    pub nullable: bool,
    /// What it is when it is not given; None: it has to be.
    pub default: Option<ConstValue>,
}

#[derive(Debug)]
pub(super) struct Root {
    pub key: String,
    pub what: RootKind,
}

pub(super) type Arguments = Vec<(Name, Value)>;

#[derive(Debug)]
pub(super) enum RootKind {
    Typename,
    Child { arguments: Arguments, tree: Tree, fields: Vec<Piece> },
    Children { arguments: Arguments, page: PageTree },
    Statistics { arguments: Arguments, parts: Vec<(String, CellPart)> },
}

/// Of a cell of the statistics.
#[derive(Clone, Copy, Debug)]
pub(super) enum CellPart {
    Typename,
    Category,
    RiskLevel,
    Count,
}

/// What is read of one table.
#[derive(Debug)]
pub(super) struct Tree {
    pub table: &'static Table,
    pub columns: Vec<usize>,
    pub links: Vec<Branch>,
}

#[derive(Debug)]
pub(super) struct Branch {
    pub key: String,
    pub link: &'static Link,
    pub tree: Tree,
    /// Of a connection.
    pub page: Option<(Arguments, bool)>,
}

/// What is written of one object.
#[derive(Debug)]
pub(super) struct Piece {
    /// `"key":`
    pub label: String,
    pub key: String,
    pub at: Pos,
    pub what: What,
}

#[derive(Debug)]
pub(super) enum What {
    Typename(&'static str),
    Id,
    /// The version never fails: where it cannot be seen it is zero.
    Version(usize),
    Leaf { place: usize, leaf: Leaf, class: DataClass },
    One { link: usize, class: DataClass, table: &'static Table, fields: Vec<Piece> },
    /// What the viewer may do with the row.
    Access(Vec<(String, AccessPart)>),
    Page { link: usize, class: DataClass, table: &'static Table, page: Vec<PagePiece> },
}

#[derive(Debug)]
pub(super) enum AccessPart {
    Typename,
    Actions,
    Classes(Vec<(String, ClassPart)>),
}

#[derive(Clone, Copy, Debug)]
pub(super) enum ClassPart {
    Typename,
    DataClass,
    Decision,
    Writable,
}

/// A connection: what is read of its rows, and what is written of the page.
#[derive(Debug)]
pub(super) struct PageTree {
    pub tree: Tree,
    pub cursors: bool,
    pub pieces: Vec<PagePiece>,
}

#[derive(Debug)]
pub(super) struct PagePiece {
    pub label: String,
    pub key: String,
    pub what: PagePart,
}

#[derive(Debug)]
pub(super) enum PagePart {
    Typename(String),
    Nodes(Vec<Piece>),
    Edges(Vec<EdgePiece>),
    Info(Vec<(String, InfoPart)>),
}

#[derive(Debug)]
pub(super) struct EdgePiece {
    pub label: String,
    pub key: String,
    pub what: EdgePart,
}

#[derive(Debug)]
pub(super) enum EdgePart {
    Typename(String),
    Cursor,
    Node(Vec<Piece>),
}

#[derive(Clone, Copy, Debug)]
pub(super) enum InfoPart {
    Typename,
    HasNext,
    HasPrevious,
    Start,
    End,
}

/// A selected field with all its occurrences under one response key.
struct Merged<'d> {
    first: &'d Positioned<Field>,
    sets: Vec<&'d SelectionSet>,
}

impl<'d> Merged<'d> {
    fn field(&self) -> &'d Field {
        &self.first.node
    }
    fn name(&self) -> &'d str {
        self.first.node.name.node.as_str()
    }
    fn key(&self) -> String {
        self.first.node.response_key().node.to_string()
    }
    fn label(&self) -> String {
        format!("\"{}\":", self.key())
    }
    fn at(&self) -> Pos {
        self.first.pos
    }
    fn arguments(&self) -> Arguments {
        self.first.node.arguments.iter().map(|(name, value)| (name.node.clone(), value.node.clone())).collect()
    }
}

struct Compiler<'d> {
    document: &'d ExecutableDocument,
}

/// How deep fragments may nest here; deeper goes the general way.
const DEEPEST: u32 = 32;

/// Fields of these types, or of an interface that all of them have.
fn applies(condition: &str, type_name: &str) -> bool {
    condition == type_name || condition == "Node"
}

fn plain(directives: &[Positioned<Directive>]) -> Option<()> {
    directives.is_empty().then_some(())
}

impl Compiled {
    /// None: the general way is for this one. The document is valid.
    pub fn new(document: &ExecutableDocument, operation: &OperationDefinition) -> Option<Compiled> {
        if operation.ty != OperationType::Query {
            return None;
        }
        plain(&operation.directives)?;
        let compiler = Compiler { document };
        let roots = compiler.merged(&[&operation.selection_set.node], "Query")?.into_iter().map(|root| compiler.root(&root)).collect::<Option<Vec<Root>>>()?;
        let variables = operation.variable_definitions.iter().map(|variable| {
            let variable = &variable.node;
            (variable.name.node.clone(), Declared { nullable: variable.var_type.node.nullable, default: variable.default_value().cloned() })
        });
        Some(Compiled { roots, variables: variables.collect() })
    }
}

impl<'d> Compiler<'d> {
    fn merged(&self, sets: &[&'d SelectionSet], type_name: &str) -> Option<Vec<Merged<'d>>> {
        let mut out: Vec<Merged<'d>> = Vec::new();
        for set in sets {
            self.collect(set, type_name, 0, &mut out)?;
        }
        Some(out)
    }

    fn collect(&self, set: &'d SelectionSet, type_name: &str, depth: u32, out: &mut Vec<Merged<'d>>) -> Option<()> {
        if depth > DEEPEST {
            return None;
        }
        for item in &set.items {
            match &item.node {
                Selection::Field(field) => {
                    plain(&field.node.directives)?;
                    let key = &field.node.response_key().node;
                    match out.iter_mut().find(|known| known.first.node.response_key().node == *key) {
                        Some(known) => known.sets.push(&field.node.selection_set.node),
                        None => out.push(Merged { first: field, sets: vec![&field.node.selection_set.node] }),
                    }
                }
                Selection::InlineFragment(fragment) => {
                    plain(&fragment.node.directives)?;
                    if fragment.node.type_condition.as_ref().is_none_or(|c| applies(&c.node.on.node, type_name)) {
                        self.collect(&fragment.node.selection_set.node, type_name, depth + 1, out)?;
                    }
                }
                Selection::FragmentSpread(spread) => {
                    plain(&spread.node.directives)?;
                    let fragment = self.document.fragments.get(&spread.node.fragment_name.node)?;
                    plain(&fragment.node.directives)?;
                    if applies(&fragment.node.type_condition.node.on.node, type_name) {
                        self.collect(&fragment.node.selection_set.node, type_name, depth + 1, out)?;
                    }
                }
            }
        }
        Some(())
    }

    fn root(&self, root: &Merged<'d>) -> Option<Root> {
        let what = match root.name() {
            "__typename" => RootKind::Typename,
            "child" => {
                let mut tree = Tree { table: Child::TYPE.table, columns: Vec::new(), links: Vec::new() };
                let fields = self.object(Child::TYPE, &root.sets, &mut tree)?;
                RootKind::Child { arguments: root.arguments(), tree, fields }
            }
            "childStatistics" => RootKind::Statistics { arguments: root.arguments(), parts: self.merged(&root.sets, "StatisticsCell")?.into_iter().map(cell_part).collect::<Option<Vec<_>>>()? },
            "children" => RootKind::Children { arguments: root.arguments(), page: self.page(Child::TYPE, &root.sets)? },
            _ => return None,
        };
        Some(Root { key: root.key(), what })
    }

    /// What an object reads goes into the tree, which several selections may share.
    fn object(&self, object: &'static ObjectType, sets: &[&'d SelectionSet], tree: &mut Tree) -> Option<Vec<Piece>> {
        let mut pieces = Vec::new();
        for field in self.merged(sets, object.name)? {
            let what = match field.name() {
                "__typename" => What::Typename(object.name),
                "id" => What::Id,
                "viewerAccess" => What::Access(self.access(&field)?),
                name => self.field(object, fields::field(object.name, name)?, &field, tree)?,
            };
            pieces.push(Piece { label: field.label(), key: field.key(), at: field.at(), what });
        }
        Some(pieces)
    }

    fn field(&self, object: &'static ObjectType, spec: &'static fields::Field, field: &Merged<'d>, tree: &mut Tree) -> Option<What> {
        let place = |tree: &mut Tree, name: &str| {
            let at = object.table.column(name)?;
            Some(tree.columns.iter().position(|known| *known == at).unwrap_or_else(|| {
                tree.columns.push(at);
                tree.columns.len() - 1
            }))
        };
        match spec.source {
            Source::Columns(columns) => {
                let [column] = columns else { return None };
                let at = place(tree, column)?;
                match spec.leaf {
                    Leaf::Other => None,
                    Leaf::Version => Some(What::Version(at)),
                    leaf => Some(What::Leaf { place: at, leaf, class: object.table.columns[tree.columns[at]].class }),
                }
            }
            Source::One(_) => {
                let link = spec.link(object.table)?;
                let target = fields::OBJECTS.get(link.to.type_name).copied()?;
                let at = self.branch(tree, field.field(), link, None);
                let pieces = self.object(target, &field.sets, &mut tree.links[at].tree)?;
                Some(What::One { link: at, class: link.class, table: link.to, fields: pieces })
            }
            Source::Connection(_) => {
                let link = spec.link(object.table)?;
                let target = fields::OBJECTS.get(link.to.type_name).copied()?;
                let page = self.page(target, &field.sets)?;
                let at = self.branch(tree, field.field(), link, Some((field.arguments(), false)));
                merge(&mut tree.links[at], page.tree, page.cursors)?;
                Some(What::Page { link: at, class: link.class, table: link.to, page: page.pieces })
            }
            Source::List(_) => None,
        }
    }

    fn access(&self, field: &Merged<'d>) -> Option<Vec<(String, AccessPart)>> {
        let part = |one: Merged<'d>| {
            let part = match one.name() {
                "__typename" => AccessPart::Typename,
                "actions" => AccessPart::Actions,
                "classes" => AccessPart::Classes(self.merged(&one.sets, "ClassAccess")?.into_iter().map(class_part).collect::<Option<Vec<_>>>()?),
                _ => return None,
            };
            Some((one.label(), part))
        };
        self.merged(&field.sets, "ViewerAccess")?.into_iter().map(part).collect()
    }

    fn branch(&self, tree: &mut Tree, field: &Field, link: &'static Link, page: Option<(Arguments, bool)>) -> usize {
        let key = link_key(field);
        tree.links.iter().position(|known| known.key == key).unwrap_or_else(|| {
            tree.links.push(Branch { key, link, page, tree: Tree { table: link.to, columns: Vec::new(), links: Vec::new() } });
            tree.links.len() - 1
        })
    }

    fn page(&self, target: &'static ObjectType, sets: &[&'d SelectionSet]) -> Option<PageTree> {
        let (connection, edge) = (format!("{}Connection", target.name), format!("{}Edge", target.name));
        let mut tree = Tree { table: target.table, columns: Vec::new(), links: Vec::new() };
        let (mut cursors, mut rows) = (false, false);
        let mut pieces = Vec::new();
        for field in self.merged(sets, &connection)? {
            let what = match field.name() {
                "__typename" => PagePart::Typename(connection.clone()),
                "nodes" => {
                    rows = true;
                    PagePart::Nodes(self.object(target, &field.sets, &mut tree)?)
                }
                "edges" => {
                    rows = true;
                    let mut parts = Vec::new();
                    for one in self.merged(&field.sets, &edge)? {
                        let what = match one.name() {
                            "__typename" => EdgePart::Typename(edge.clone()),
                            "cursor" => {
                                cursors = true;
                                EdgePart::Cursor
                            }
                            "node" => EdgePart::Node(self.object(target, &one.sets, &mut tree)?),
                            _ => return None,
                        };
                        parts.push(EdgePiece { label: one.label(), key: one.key(), what });
                    }
                    PagePart::Edges(parts)
                }
                "pageInfo" => {
                    rows = true;
                    let mut parts = Vec::new();
                    for one in self.merged(&field.sets, "PageInfo")? {
                        let what = match one.name() {
                            "__typename" => InfoPart::Typename,
                            "hasNextPage" => InfoPart::HasNext,
                            "hasPreviousPage" => InfoPart::HasPrevious,
                            "startCursor" => InfoPart::Start,
                            "endCursor" => InfoPart::End,
                            _ => return None,
                        };
                        cursors |= matches!(what, InfoPart::Start | InfoPart::End);
                        parts.push((one.label(), what));
                    }
                    PagePart::Info(parts)
                }
                _ => return None,
            };
            pieces.push(PagePiece { label: field.label(), key: field.key(), what });
        }
        rows.then_some(PageTree { tree, cursors, pieces })
    }
}

fn class_part(one: Merged<'_>) -> Option<(String, ClassPart)> {
    let part = match one.name() {
        "__typename" => ClassPart::Typename,
        "dataClass" => ClassPart::DataClass,
        "decision" => ClassPart::Decision,
        "writable" => ClassPart::Writable,
        _ => return None,
    };
    Some((one.label(), part))
}

fn cell_part(one: Merged<'_>) -> Option<(String, CellPart)> {
    let part = match one.name() {
        "__typename" => CellPart::Typename,
        "category" => CellPart::Category,
        "riskLevel" => CellPart::RiskLevel,
        "count" => CellPart::Count,
        _ => return None,
    };
    Some((one.label(), part))
}

/// A link that stands in two selections with the same arguments is read once. Places differ where both select columns: then
/// the general way is taken.
fn merge(branch: &mut Branch, tree: Tree, cursors: bool) -> Option<()> {
    if !branch.tree.columns.is_empty() || !branch.tree.links.is_empty() {
        return None;
    }
    branch.tree = tree;
    if let Some((_, wanted)) = &mut branch.page {
        *wanted |= cursors;
    }
    Some(())
}
