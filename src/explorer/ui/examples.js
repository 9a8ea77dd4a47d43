// The example operations as GraphiQL tabs, each naming its persona in a comment.
const MARK = "# persona:";

export function asTab({ title, titleZh, persona, query, variables }, personas) {
  const heading = `# ${[title, titleZh].filter(Boolean).join(" · ")}\n`;
  const written = typeof variables === "string" ? variables : variables && JSON.stringify(variables, null, 2);
  return {
    query: heading + (personas.some(({ name }) => name === persona) ? `${MARK} ${persona}\n` : "") + query,
    variables: written || "",
  };
}

/** The persona that the comment at the top of an operation names, or "". */
export function personaOf(query) {
  const line = (query ?? "").split("\n", 6).find((each) => each.startsWith(MARK));
  return line ? line.slice(MARK.length).trim() : "";
}
