//! From errors of the domain to GraphQL errors with a code.

use crate::context::{language, request_id, trail};
use async_graphql::{Context, ErrorExtensionValues, Pos, ServerError};
use domain::Error;
use domain::access::Language;

fn made(request_id: &str, at: Pos, code: &str, message: String, more: &[(&str, String)]) -> ServerError {
    let mut error = ServerError::new(message, Some(at));
    let mut extensions = ErrorExtensionValues::default();
    extensions.set("code", code);
    extensions.set("requestId", request_id);
    for (name, value) in more {
        extensions.set(*name, value.as_str());
    }
    error.extensions = Some(extensions);
    error
}

/// Builds an error at the path of the field being resolved.
fn at_path(ctx: &Context<'_>, code: &str, message: String, more: &[(&str, String)]) -> ServerError {
    ctx.set_error_path(made(request_id(ctx), ctx.item.pos, code, message, more))
}

/// That the viewer may not see a field; its path is the caller's to set.
pub fn denied(language: Language, request_id: &str, at: Pos, class: &str) -> ServerError {
    let message = language.choose("您无权查看此字段", "you may not see this field");
    made(request_id, at, "FORBIDDEN", message.to_owned(), &[("dataClass", class.to_owned())])
}

/// Notes that the viewer may not see the field being resolved.
pub fn deny(ctx: &Context<'_>, class: &str) {
    trail(ctx).denied(class);
    ctx.add_error(ctx.set_error_path(denied(language(ctx), request_id(ctx), ctx.item.pos, class)));
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
        Error::BadInput { code, argument, message } => {
            let text = if zh { bad_input(code).map_or_else(|| message.to_string(), str::to_owned) } else { message.to_string() };
            at_path(ctx, code, text, &[("argument", argument.clone())])
        }
        Error::RateLimited { seconds } => {
            trail(ctx).denied("rate");
            let text = if zh { format!("操作过于频繁，请在{seconds}秒后重试") } else { error.to_string() };
            at_path(ctx, "RATE_LIMITED", text, &[("retryAfter", seconds.to_string())])
        }
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

/// What would be right, in Chinese.
fn bad_input(code: &str) -> Option<&'static str> {
    Some(match code {
        "PAGE_SIZE" => "每页数量应在0到100之间",
        "PAGE_ARGUMENTS" => "first 与 after 配合使用，last 与 before 配合使用，两组不可同时给出",
        "BAD_CURSOR" => "游标只能用于产生它的列表和排序",
        "BAD_ID" => "标识应为“类型:UUID”，且类型须与参数相符",
        "BAD_DIVISION" => "行政区划代码应为2、4、6、9或12位数字",
        "BAD_SEARCH" => "请输入1到50个字符",
        "BAD_IDENTITY_NUMBER" => "请输入完整的公民身份号码：17位数字和校验码",
        "BAD_IDEMPOTENCY_KEY" => "幂等键应为1到200字节",
        "IDEMPOTENCY_KEY_REUSED" => "该幂等键已用于不同的请求内容，请为新请求生成新的键",
        "IDEMPOTENCY_KEY_IN_USE" => "使用该幂等键的请求正在处理，请稍后重试",
        "BUSY" => "正在校验的密码过多，请稍后重试",
        "BAD_EXTERNAL_IDENTITY" => "签发者（issuer）与主体（subject）须同时提供，各1至255字节",
        "BAD_NUMBER" => "数值超出范围",
        _ => return None,
    })
}

/// The value, or None and the error on record at this path: a resolver that returned `Err` would drop its key.
pub fn soft<T>(ctx: &Context<'_>, result: domain::Result<T>) -> Option<T> {
    result.map_err(|error| report(ctx, &error)).ok()
}
