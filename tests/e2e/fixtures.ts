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

/** Waits until the newest answer is neither queued nor being made. */
export async function untilFinished(page: Page): Promise<void> {
  await expect(lastAnswer(page)).toHaveAttribute('data-status', /done|stopped|interrupted|error/, {
    timeout: 180_000,
  });
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

/** Prompts that a demo model tends to answer at length. It samples, and may end any of them at once. */
const LONG = [
  'Write a long Python module with a class for an HTTP server, a parser, a cache and unit tests.',
  'Write a unittest.TestCase with fifty test methods for a calculator, for every number from 1 to 50.',
  `Continue:\n${Array.from({ length: 30 }, (_, i) => `x${i} = ${i}`).join('\n')}`,
  'Continue this code:\nclass Parser:\n    def __init__(self, text):\n        self.text = text\n\n    def peek(self):\n',
];
const SOME_TEXT = 80;
const TRIES = 25;

/** The prompt that last gave an answer long enough. */
let proven = 0;

/**
 * Does something in the middle of an answer. `act` begins while the answer has some text and is still being made; it
 * returns whether it was in time. However fast the model: an answer that ended too soon is asked for again.
 */
export async function inTheMiddle(page: Page, act: () => Promise<boolean>): Promise<void> {
  for (let attempt = 0; attempt < TRIES; attempt += 1) {
    const choice = (proven + attempt) % LONG.length;
    await page.goto('/');
    await ask(page, LONG[choice] ?? '');
    await expect(lastAnswer(page)).toBeVisible();
    if ((await hasBegun(page)) && (await act())) {
      proven = choice;
      return;
    }
  }
  throw new Error(`none of ${TRIES} answers was long enough`);
}

/** Waits for some text; false when the answer ended before it had any. */
async function hasBegun(page: Page): Promise<boolean> {
  const outcome = await page.waitForFunction(
    (enough) => {
      const answer = document.querySelector('[data-testid=answer]');
      if (!answer) return null;
      if (answer.getAttribute('aria-busy') === 'false') return 'ended';
      return (answer.textContent ?? '').length > enough ? 'begun' : null;
    },
    SOME_TEXT,
    { timeout: 180_000 },
  );
  return (await outcome.jsonValue()) === 'begun';
}

export async function isBeingMade(page: Page): Promise<boolean> {
  return (await lastAnswer(page).getAttribute('aria-busy')) === 'true';
}

/** Stops the answer, by keyboard; false when it had ended before. */
export async function stop(page: Page): Promise<boolean> {
  const pressed = await page
    .getByRole('button', { name: 'Stop' })
    .press('Enter', { timeout: 5_000 })
    .then(
      () => true,
      () => false,
    );
  await untilFinished(page);
  return pressed && (await lastAnswer(page).getAttribute('data-status')) === 'stopped';
}
