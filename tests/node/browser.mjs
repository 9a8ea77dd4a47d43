// The explorer as a newcomer uses it: pick a persona, run the query, see a result; nothing leaves the origin.
import assert from 'node:assert/strict';
import { existsSync, mkdirSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { chromium } from 'playwright-core';
import { baseUrl, setting, Suite } from './suite.mjs';

const suite = new Suite('browser');
const url = baseUrl();
const { origin, host } = new URL(url);
const persona = setting('CW_PERSONA', 'county-officer');
const screenshot = resolve(setting('CW_SCREENSHOT', fileURLToPath(new URL('../../target/explorer.png', import.meta.url))));
const executablePath = setting('CW_CHROMIUM', ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'].find(existsSync));
const RESULT = '.graphiql-response, .result-window';

const browser = await chromium.launch({ executablePath, args: ['--no-sandbox', '--disable-dev-shm-usage'] });
try {
  const context = await browser.newContext({ viewport: { width: 1440, height: 900 }, locale: 'en-GB' });
  const strangers = new Set();
  const note = (address) => {
    const to = new URL(address);
    const own = to.protocol.startsWith('ws') ? to.host === host : to.origin === origin;
    if (!own && !['data:', 'about:'].includes(to.protocol)) strangers.add(address);
  };
  context.on('request', (request) => note(request.url()));
  const page = await context.newPage();
  page.on('websocket', (socket) => note(socket.url()));
  const faults = [];
  page.on('pageerror', (error) => faults.push(error.message));

  /** The text of the result pane, once it holds an answer. */
  const answer = () =>
    page.waitForFunction(
      (selector) => {
        const text = [...document.querySelectorAll(selector)].map((pane) => pane.textContent).join('').replaceAll('\u00a0', ' ');
        return /"(data|errors)"/.test(text) ? text : undefined;
      },
      RESULT,
      { timeout: 20_000 },
    ).then((handle) => handle.jsonValue());
  const ran = () =>
    page.waitForResponse((response) => {
      const request = response.request();
      return new URL(response.url()).pathname === '/graphql' && request.method() === 'POST' && !request.postData()?.includes('IntrospectionQuery');
    }, { timeout: 20_000 });

  await suite.check('the explorer opens', async () => {
    const response = await page.goto(`${url}/explorer`, { waitUntil: 'load' });
    assert.equal(response.status(), 200);
    await page.locator('.graphiql-container').first().waitFor();
    await page.locator('.graphiql-query-editor').first().waitFor();
  });
  await suite.check(`the persona ${persona} can be picked`, async () => {
    await page.getByTestId('persona').selectOption(persona);
    assert.equal(await page.getByTestId('persona').inputValue(), persona);
  });
  for (const [title, press] of [
    ['the Execute button', () => page.locator('.graphiql-execute-button').click()],
    ['Ctrl-Enter', async () => {
      await page.locator('.graphiql-query-editor').first().click({ position: { x: 200, y: 40 } });
      await page.keyboard.press('Control+Enter');
    }],
  ]) {
    await suite.check(`${title} brings a result`, async () => {
      const [response] = await Promise.all([ran(), press()]);
      const body = await response.json();
      assert.equal(response.status(), 200);
      assert.ok(body.data && !body.errors, `answered ${JSON.stringify(body).slice(0, 400)}`);
      const text = await answer();
      assert.match(text, /"data"/);
    });
  }
  await suite.check('a screenshot is saved', async () => {
    mkdirSync(dirname(screenshot), { recursive: true });
    await page.screenshot({ path: screenshot });
  });
  await suite.check('no request leaves the origin', () => assert.deepEqual([...strangers], []));
  await suite.check('the page throws nothing', () => assert.deepEqual(faults, []));
} finally {
  await browser.close();
}
suite.finish({ screenshot });
