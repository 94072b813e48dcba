import AxeBuilder from '@axe-core/playwright';
import { test as base, type ConsoleMessage, expect, type Page } from '@playwright/test';

export { expect };

interface Account {
  email: string;
  password: string;
}

/** The account to sign in with; null where the server runs in local mode. */
export function account(): Account | null {
  const { E2E_EMAIL: email, E2E_PASSWORD: password } = process.env;
  return email && password ? { email, password } : null;
}

type StorageState = Awaited<ReturnType<import('@playwright/test').BrowserContext['storageState']>>;

interface Fixtures {
  /** Whether the test begins signed in. */
  signedIn: boolean;
  /** Console errors that a test expects, because it makes the server refuse something. */
  allowedErrors: RegExp[];
  guard: undefined;
}

interface WorkerFixtures {
  session: StorageState | undefined;
}

const UNRELATED = /^(data|blob):/;

/** Every test fails on console errors, uncaught exceptions, policy violations, and requests to anywhere else. */
export const test = base.extend<Fixtures, WorkerFixtures>({
  signedIn: [true, { option: true }],
  allowedErrors: [[], { option: true }],

  session: [
    async ({ playwright }, use, { project }) => {
      const who = account();
      if (!who) return use(undefined);
      const { baseURL } = project.use;
      const request = await playwright.request.newContext({
        baseURL,
        extraHTTPHeaders: { Origin: baseURL ?? '' },
      });
      const response = await request.post('/api/auth/login', { data: who });
      expect(response.ok(), await response.text()).toBe(true);
      await use(await request.storageState());
      await request.dispose();
    },
    { scope: 'worker' },
  ],

  storageState: async ({ session, signedIn }, use) => {
    await use(signedIn ? session : undefined);
  },

  guard: [
    async ({ context, baseURL, allowedErrors }, use) => {
      const faults: string[] = [];
      const onConsole = (message: ConsoleMessage) => {
        const text = `${message.text()} ${message.location().url}`;
        if (message.type() === 'error' && !allowedErrors.some((allowed) => allowed.test(text)))
          faults.push(text);
      };
      context.on('console', onConsole);
      context.on('weberror', (error) => faults.push(`uncaught: ${error.error().message}`));
      context.on('request', (request) => {
        const url = request.url();
        if (!url.startsWith(baseURL ?? '') && !UNRELATED.test(url)) faults.push(`request to ${url}`);
      });
      await context.addInitScript(() => {
        document.addEventListener('securitypolicyviolation', (event) => {
          // biome-ignore lint/suspicious/noConsole: what is said here fails the test
          console.error(`policy violation: ${event.violatedDirective} ${event.blockedURI}`);
        });
      });
      await use(undefined);
      expect(faults).toEqual([]);
    },
    { auto: true },
  ],
});

/** What axe finds wrong with the page as it is now. */
export async function axeFindings(page: Page): Promise<string[]> {
  const { violations } = await new AxeBuilder({ page }).analyze();
  return violations.map(({ id, nodes }) => `${id}: ${nodes.map((node) => node.target.join(' ')).join(', ')}`);
}

export const composer = (page: Page) => page.getByRole('textbox', { name: 'Message' });
export const lastAnswer = (page: Page) => page.getByTestId('answer').last();

export async function ask(page: Page, prompt: string): Promise<void> {
  await composer(page).fill(prompt);
  await composer(page).press('Enter');
}

/** Puts a long text into the composer. To fill it in would be typing, line by line. */
export async function paste(page: Page, text: string): Promise<void> {
  await page.context().grantPermissions(['clipboard-read', 'clipboard-write']);
  await expect(composer(page)).toBeVisible();
  await page.evaluate((pasted) => navigator.clipboard.writeText(pasted), text);
  await composer(page).focus();
  await page.keyboard.press('Control+V');
  await expect(composer(page)).toHaveValue(text);
}

/** Waits until the newest answer is neither queued nor being made. */
export async function untilFinished(page: Page): Promise<void> {
  await expect(lastAnswer(page)).toHaveAttribute('data-status', /done|stopped|interrupted|error/, {
    timeout: 180_000,
  });
}

/** The code of the newest answer as the page shows it, without white space. */
export function shownCode(page: Page): Promise<string> {
  return page.evaluate(() => {
    const answer = Array.from(document.querySelectorAll('[data-testid=answer]')).at(-1);
    const bodies = answer?.querySelectorAll('[data-streamdown=code-block-body]') ?? [];
    return Array.from(bodies, (body) => body.textContent ?? '')
      .join('')
      .replaceAll(/\s+/g, '');
  });
}

/** The same of a stored answer: what stands between its fences. */
export function codeOf(content: string): string {
  let inside = false;
  const code = content.split('\n').filter((line) => {
    const isFence = inside ? /^ {0,3}`{3,}\s*$/.test(line) : /^ {0,3}`{3,}[^`]*$/.test(line);
    if (isFence) inside = !inside;
    return inside && !isFence;
  });
  return code.join('').replaceAll(/\s+/g, '');
}

export interface StoredMessage {
  id: string;
  parent_id: string | null;
  author: string;
  status: string;
  content: string;
}

/** The messages of the conversation that the page shows, as the server has them. */
export async function stored(page: Page): Promise<StoredMessage[]> {
  const id = new URL(page.url()).pathname.replace('/c/', '');
  const response = await page.request.get(`/api/conversations/${id}`);
  expect(response.ok()).toBe(true);
  return ((await response.json()) as { messages: StoredMessage[] }).messages;
}

export async function storedAnswer(page: Page): Promise<StoredMessage> {
  const answer = (await stored(page)).at(-1);
  expect(answer?.author).toBe('assistant');
  return answer as StoredMessage;
}

export async function isBeingMade(page: Page): Promise<boolean> {
  return (await lastAnswer(page).getAttribute('aria-busy')) === 'true';
}
