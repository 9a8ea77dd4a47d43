import { labels, title } from "./labels.js";

/** Who asks, why and in which language, with a line that says so. */
export function Bar({ config, settings, change, onTokenEntered, suggested, refusal }) {
  const { persona, purpose, language, ownToken } = settings;
  const words = labels[language];
  const current = config.personas.find(({ name }) => name === persona);
  const suggestion = suggested !== persona && config.personas.find(({ name }) => name === suggested);

  return (
    <header className="bar">
      <h1>
        {words.name} <span className={`profile ${config.profile}`}>{words.profile[config.profile]}</span>
      </h1>
      {current ? (
        <Choice id="persona" label={words.persona} value={persona} onChange={change} options={config.personas} language={language} />
      ) : (
        <label>
          {words.token}
          <input
            data-testid="token"
            type="password"
            autoComplete="off"
            spellCheck={false}
            placeholder={words.tokenHint}
            value={ownToken}
            onChange={(event) => change({ ownToken: event.target.value.replace(/^\s*Bearer\s+|\s+/gi, "") })}
            onBlur={onTokenEntered}
            onKeyDown={(event) => event.key === "Enter" && event.currentTarget.blur()}
          />
        </label>
      )}
      <Choice
        id="purpose"
        label={words.purpose}
        value={purpose}
        onChange={change}
        options={[{ name: "", title: words.defaultPurpose }, ...config.purposes]}
        language={language}
      />
      <Choice
        id="language"
        label={words.language}
        value={language}
        onChange={change}
        options={[{ name: "zh", title: "中文" }, { name: "en", title: "English" }]}
        language={language}
      />
      <p role="status" data-testid="status" className={refusal ? "refused" : undefined}>
        {status(words, current, language, ownToken, refusal)}
        {suggestion && (
          <button type="button" data-testid="switch" onClick={() => change({ persona: suggestion.name })}>
            {words.exampleFor(title(suggestion, language))}
          </button>
        )}
      </p>
    </header>
  );
}

function Choice({ id, label, value, onChange, options, language }) {
  return (
    <label>
      {label}
      <select data-testid={id} value={value} onChange={(event) => onChange({ [id]: event.target.value })}>
        {options.map((option) => (
          <option key={option.name} value={option.name}>
            {title(option, language)}
          </option>
        ))}
      </select>
    </label>
  );
}

function status(words, persona, language, ownToken, refusal) {
  if (refusal) return persona ? words.noPersona(refusal.status) : words.refused;
  if (!persona) return ownToken ? words.ownToken : words.noToken;
  const { name, about } = persona;
  return (
    <>
      {words.acting(title(persona, language))} <code>{name}</code>
      {about && <span className="about">{about}</span>}
    </>
  );
}
