//! What the parser, the validator and the limits say, in the caller's language. Both libraries speak English alone.

use crate::limits::Broken;
use async_graphql::parser::Error as ParseError;
use domain::access::Language;

/// Each English message of the executor, `{}` for what it names, beside the Chinese one. What stands first is tried first.
const KNOWN: &[(&str, &str)] = &[
    ("Unknown field \"{}\" on type \"{}\".{}", "类型“{1}”没有字段“{0}”{2}"),
    ("Unknown argument \"{}\" on field \"{}\" of type \"{}\".{}", "类型“{2}”的字段“{1}”没有参数“{0}”{3}"),
    ("Unknown argument \"{}\" on directive \"{}\".{}", "指令“{1}”没有参数“{0}”"),
    ("Unknown directive \"{}\"", "没有指令“{0}”"),
    ("Unknown fragment: \"{}\"", "没有片段“{0}”"),
    ("Unknown type \"{}\"", "没有类型“{0}”"),
    ("Directive \"{}\" may not be used on \"{}\"", "指令“{0}”不能用在“{1}”上"),
    ("Directive \"@{}\" argument \"{}\" of type \"{}\" is required but not provided", "指令“@{0}”缺少必需的参数“{1}”（{2}）"),
    ("Duplicate directive \"{}\"", "指令“{0}”重复"),
    ("Field \"{}\" argument \"{}\" of type \"{}\" is required but not provided", "字段“{0}”缺少必需的参数“{1}”（{2}）"),
    ("Field \"{}\" must not have a selection since type \"{}\" has no subfields", "字段“{0}”（{1}）没有子字段，不能再作选择"),
    ("Field \"{}\" of type \"{}\" must have a selection of subfields", "字段“{0}”（{1}）必须选择子字段"),
    ("Fragment \"{}\" cannot condition non composite type \"{}\"", "片段“{0}”不能以“{1}”为类型条件"),
    ("Fragment cannot condition non composite type \"{}\"", "片段不能以“{0}”为类型条件"),
    ("Fragment \"{}\" cannot be spread here as objects of type \"{}\" can never be of type \"{}\"", "片段“{0}”不能用在此处：“{1}”不可能是“{2}”"),
    ("Fragment cannot be spread here as objects of type \"{}\" can never be of type \"{}\"", "片段不能用在此处：“{0}”不可能是“{1}”"),
    ("Fragment \"{}\" is never used", "片段“{0}”没有用到"),
    ("Cannot spread fragment \"{}\"", "片段“{0}”引用了自身"),
    ("Fields \"{}\" conflict because {}", "多个字段同用“{0}”这个名字，请各取别名"),
    ("There can only be one argument named \"{}\"", "参数“{0}”重复"),
    ("There can only be one variable named \"{}\"", "变量“{0}”重复"),
    ("Variable \"{}\" is not defined by operation \"{}\"", "操作“{1}”没有定义变量“{0}”"),
    ("Variable \"{}\" is not defined{}", "变量“{0}”没有定义"),
    ("Variable {} is not defined.", "变量{0}没有定义"),
    ("Variable \"{}\" is not used by operation \"{}\"", "操作“{1}”没有用到变量“{0}”"),
    ("Variable \"{}\" is not used{}", "变量“{0}”没有用到"),
    ("Variable \"{}\" cannot be of non-input type \"{}\"", "变量“{0}”不能是非输入类型“{1}”"),
    ("Variable \"{}\" of type \"{}\" used in position expecting type \"{}\"", "变量“{0}”的类型是“{1}”，此处应为“{2}”"),
    ("Invalid default value for argument: {}", "参数的默认值不正确：{0}"),
    ("Invalid value for argument {}", "参数的值不正确：{0}"),
    ("Invalid value for variable {}", "变量的值不正确：{0}"),
    ("Schema is not configured for {}s.", "没有“{0}”这类操作"),
    ("Failed to parse \"{}\": {}", "无法读作“{0}”：{1}"),
    ("operationName names no operation of the document", "operationName 不是文档中任何操作的名称"),
    ("a document with several operations needs operationName", "文档含有多个操作，须给出 operationName"),
    ("the answer cannot be put on record, and so is not given", "无法记入审计日志，因此不予答复"),
    (
        "{} stands for several fields, or for one with several arguments, or for a mutation twice: give each a name of its own",
        "名字“{0}”用于多个字段、同一字段的不同参数，或重复的变更：请各取别名",
    ),
];

const LIMITS: &[(&str, &str)] = &[
    ("bytes", "字节数"),
    ("tokens", "词元数"),
    ("name", "名称长度"),
    ("nesting", "括号层数"),
    ("depth", "字段层数"),
    ("aliases", "别名数"),
    ("rootFields", "根字段数"),
    ("directives", "指令数"),
    ("fragments", "片段数"),
    ("operations", "操作数"),
    ("introspection", "内省列表层数"),
    ("cost", "成本"),
];

/// The parts of a message that stand for `{}` in its pattern.
fn parts<'m>(pattern: &str, message: &'m str) -> Option<Vec<&'m str>> {
    let mut pieces = pattern.split("{}");
    let mut rest = message.strip_prefix(pieces.next()?)?;
    let mut found = Vec::new();
    let mut pieces = pieces.peekable();
    while let Some(piece) = pieces.next() {
        if pieces.peek().is_none() {
            found.push(rest.strip_suffix(piece)?);
            return Some(found);
        }
        let (part, after) = rest.split_once(piece)?;
        found.push(part);
        rest = after;
    }
    rest.is_empty().then_some(found)
}

pub fn translated(message: &str, language: Language) -> String {
    if language == Language::English || !message.is_ascii() && KNOWN.iter().all(|(en, _)| parts(en, message).is_none()) {
        return message.to_owned();
    }
    for (en, zh) in KNOWN {
        if let Some(parts) = parts(en, message) {
            return parts.iter().enumerate().fold((*zh).to_owned(), |text, (n, part)| text.replace(&format!("{{{n}}}"), part));
        }
    }
    format!("请求未通过校验：{message}")
}

pub fn parse_failed(error: &ParseError, language: Language) -> String {
    let at = error.positions().next().map(|at| (at.line, at.column));
    let why = match error {
        // The rest of the library's message quotes the document.
        ParseError::Syntax { message, .. } => message.lines().last().unwrap_or_default().trim_start_matches([' ', '=']).to_owned(),
        other => other.to_string(),
    };
    match (at, language) {
        (Some((line, column)), Language::Chinese) => format!("文档有语法错误（第{line}行第{column}列）：{why}"),
        (None, Language::Chinese) => format!("文档有语法错误：{why}"),
        (Some((line, column)), Language::English) => format!("syntax error at line {line}, column {column}: {why}"),
        (None, Language::English) => format!("syntax error: {why}"),
    }
}

pub fn over(broken: &Broken, language: Language) -> String {
    match language {
        Language::English => format!("the document goes beyond the limit of {}: at most {}", broken.limit, broken.most),
        Language::Chinese => {
            let name = LIMITS.iter().find(|(limit, _)| *limit == broken.limit).map_or(broken.limit, |(_, zh)| zh);
            format!("文档超出{name}的限制：最多{}", broken.most)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_told_in_chinese() {
        let zh = |message| translated(message, Language::Chinese);
        assert_eq!(zh("Unknown field \"a\" on type \"Query\"."), "类型“Query”没有字段“a”");
        assert_eq!(zh("Unknown argument \"x\" on field \"a\" of type \"Query\"."), "类型“Query”的字段“a”没有参数“x”");
        assert_eq!(zh("Fields \"a\" conflict because they have differing arguments. Use different aliases"), "多个字段同用“a”这个名字，请各取别名");
        assert_eq!(zh("something new"), "请求未通过校验：something new");
        assert_eq!(translated("Unknown field \"a\" on type \"Query\".", Language::English), "Unknown field \"a\" on type \"Query\".");
        assert_eq!(zh("您无权查看此字段"), "您无权查看此字段");
    }

    #[test]
    fn each_limit_has_a_name_in_chinese() {
        for (limit, zh) in LIMITS {
            assert_eq!(over(&Broken { limit, most: 7 }, Language::Chinese), format!("文档超出{zh}的限制：最多7"));
        }
    }

    #[test]
    fn a_parse_error_names_its_place_and_quotes_nothing() {
        let error = async_graphql::parser::parse_query("{ child(id: \"secret\") { id ").expect_err("unfinished");
        for language in [Language::Chinese, Language::English] {
            let text = parse_failed(&error, language);
            assert!(text.contains('1') && text.contains("expected") && !text.contains("secret"), "{text}");
        }
    }
}
