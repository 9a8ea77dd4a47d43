//! From errors of the domain to GraphQL errors with a code.

use crate::context::{language, request_id, trail};
use async_graphql::{Context, ErrorExtensionValues, ServerError};
use domain::Error;
use domain::access::Language;

/// Builds an error at the path of the field being resolved.
fn at_path(ctx: &Context<'_>, code: &str, message: String, more: &[(&str, String)]) -> ServerError {
    let mut error = ServerError::new(message, Some(ctx.item.pos));
    let mut extensions = ErrorExtensionValues::default();
    extensions.set("code", code);
    extensions.set("requestId", request_id(ctx));
    for (name, value) in more {
        extensions.set(*name, value.as_str());
    }
    error.extensions = Some(extensions);
    ctx.set_error_path(error)
}

/// Notes that the viewer may not see the field being resolved.
pub fn deny(ctx: &Context<'_>, class: &str) {
    trail(ctx).denied(class);
    let message = language(ctx).choose("您无权查看此字段", "you may not see this field");
    ctx.add_error(at_path(ctx, "FORBIDDEN", message.to_owned(), &[("dataClass", class.to_owned())]));
}

/// Notes an error of the domain at the field being resolved.
pub fn report(ctx: &Context<'_>, error: &Error) {
    let zh = language(ctx) == Language::Chinese;
    let pick = |zh_text: &str, en: &str| if zh { zh_text.to_owned() } else { en.to_owned() };
    let error = match error {
        Error::Forbidden { subject, message } => {
            trail(ctx).denied(subject);
            at_path(ctx, "FORBIDDEN", if zh { format!("您无权执行此操作（{message}）") } else { message.to_string() }, &[("subject", subject.clone())])
        }
        Error::BadInput { code, argument, message } => at_path(ctx, code, message.to_string(), &[("argument", argument.clone())]),
        Error::Unavailable(source) => {
            tracing::error!(error = %source, request_id = %request_id(ctx), "the database did not serve a request");
            at_path(ctx, "UNAVAILABLE", pick("数据库暂时无法服务，未做任何更改，请稍后重试", "the database cannot serve this now; nothing was changed, try again later"), &[])
        }
        Error::Internal(what) => {
            tracing::error!(error = %what, request_id = %request_id(ctx), "internal error");
            at_path(ctx, "INTERNAL", pick("系统内部错误，请凭请求编号联系管理员", "internal error; quote the request id when you report it"), &[])
        }
    };
    ctx.add_error(error);
}

/// The value, or None and the error on record at this path: a resolver that returned `Err` would drop its key.
pub fn soft<T>(ctx: &Context<'_>, result: domain::Result<T>) -> Option<T> {
    result.map_err(|error| report(ctx, &error)).ok()
}
