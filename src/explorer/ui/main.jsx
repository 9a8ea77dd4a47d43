import { GraphiQL } from "graphiql";
import { useEffect, useMemo, useState } from "react";
import { createRoot } from "react-dom/client";
import "graphiql/style.css";
import "./style.css";
import { Bar } from "./bar.jsx";
import { asTab, personaOf } from "./examples.js";
import { labels } from "./labels.js";
import { Session } from "./session.js";
import { createTransport } from "./transport.js";

// Nothing outlives the browser tab: tokens and variables may be confidential.
const store = window.sessionStorage;
const browserLanguage = navigator.language.startsWith("zh") ? "zh" : "en";

/** The settings of this browser tab, as far as the configuration still knows them. */
function initialSettings({ personas, purposes, operations }) {
  const known = (items, name) => items.some((item) => item.name === name) && name;
  const kept = JSON.parse(store.getItem("settings") ?? "{}");
  return {
    persona: known(personas, kept.persona) || known(personas, operations[0]?.persona) || personas[0]?.name || "",
    purpose: known(purposes, kept.purpose) || "",
    language: kept.language in labels ? kept.language : browserLanguage,
    ownToken: kept.ownToken ?? "",
  };
}

/** The examples; GraphiQL 4 shows a first tab's variables only when it finds them in its storage. */
function initialTabs({ operations, personas }) {
  const tabs = operations.map((operation) => asTab(operation, personas));
  if (tabs.length && !store.getItem("graphiql:tabState")) store.setItem("graphiql:variables", tabs[0].variables);
  return tabs.length ? tabs : undefined;
}

function Explorer({ config }) {
  const [settings, setSettings] = useState(() => initialSettings(config));
  const [suggested, setSuggested] = useState(config.operations[0]?.persona ?? "");
  const [refusal, setRefusal] = useState(null);
  const [session] = useState(() => Object.assign(new Session(), settings));
  const [transport] = useState(() => createTransport(config.endpoint, session, setRefusal));
  const [schemaToken, setSchemaToken] = useState(settings.ownToken);
  const fetcher = useMemo(() => transport.fetcher(), [transport, schemaToken]);
  const [tabs] = useState(() => initialTabs(config));

  useEffect(() => {
    document.documentElement.lang = settings.language === "zh" ? "zh-CN" : "en";
    document.title = labels[settings.language].name;
  }, [settings.language]);

  function change(changed) {
    const next = { ...settings, ...changed };
    session.set(next);
    transport.hangUp();
    store.setItem("settings", JSON.stringify(next));
    setSettings(next);
    setRefusal(null);
  }

  return (
    <>
      <Bar
        config={config}
        settings={settings}
        change={change}
        onTokenEntered={() => setSchemaToken(settings.ownToken)}
        suggested={suggested}
        refusal={refusal}
      />
      <GraphiQL
        fetcher={fetcher}
        storage={store}
        shouldPersistHeaders={false}
        defaultTabs={tabs}
        defaultEditorToolsVisibility="variables"
        schemaDescription
        onTabChange={({ tabs, activeTabIndex }) => setSuggested(personaOf(tabs[activeTabIndex]?.query))}
      >
        <GraphiQL.Logo>{null}</GraphiQL.Logo>
      </GraphiQL>
    </>
  );
}

async function loadConfig() {
  const answer = await fetch("explorer/config.json");
  if (!answer.ok) throw new Error(`${answer.status} ${answer.statusText}`);
  const { endpoint = "/graphql", profile, personas = [], purposes = [], operations = [] } = await answer.json();
  return { endpoint, profile, personas, purposes, operations };
}

const root = createRoot(document.getElementById("explorer"));
try {
  root.render(<Explorer config={await loadConfig()} />);
} catch (error) {
  root.render(<p className="failure">{labels[browserLanguage].noConfig} {error.message}</p>);
}
