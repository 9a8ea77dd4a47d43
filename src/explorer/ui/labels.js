// The bar's own words; GraphiQL itself speaks English only.
export const labels = {
  en: {
    name: "Child welfare explorer",
    profile: { demo: "demo", development: "development", production: "production" },
    persona: "Persona",
    purpose: "Purpose",
    defaultPurpose: "Default of the grant",
    token: "Access token",
    tokenHint: "kept for this browser tab only",
    language: "Language",
    acting: (title) => `Acting as ${title}`,
    exampleFor: (title) => `Use ${title}, as this example does`,
    ownToken: "Acting with your own token",
    noToken: "No token: paste your access token to read the schema and run operations",
    refused: "The server refused this token (401)",
    noPersona: (status) => `No token for this persona (${status})`,
    noConfig: "The explorer could not load its configuration:",
  },
  zh: {
    name: "困境儿童信息系统接口浏览器",
    profile: { demo: "演示", development: "开发", production: "生产" },
    persona: "演示身份",
    purpose: "使用目的",
    defaultPurpose: "按授权默认",
    token: "访问令牌",
    tokenHint: "仅保存在当前标签页",
    language: "语言",
    acting: (title) => `当前身份：${title}`,
    exampleFor: (title) => `换用本示例的身份：${title}`,
    ownToken: "正在使用您自己的令牌",
    noToken: "尚无令牌：请粘贴访问令牌，以读取模式并执行操作",
    refused: "服务器拒绝了该令牌（401）",
    noPersona: (status) => `无法取得该身份的令牌（${status}）`,
    noConfig: "无法加载浏览器配置：",
  },
};

/** A persona's, purpose's or example's title in the language of the bar. */
export const title = (item, language) => (language === "zh" && item.titleZh) || item.title || item.name;
