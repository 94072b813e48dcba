import type { Page } from '@playwright/test';
import { expect } from './fixtures';
import { takeIn } from './history';
import { invite } from './people';

/** A page of the product. One line here brings it to the accessibility checks, the phone, and the screenshots. */
export interface Route {
  /** Its name in file names. */
  name: string;
  path: string | ((page: Page) => Promise<string>);
  /** What its main heading says; a page without one is a chat. */
  heading?: string | RegExp;
  for: 'everybody' | 'member' | 'admin';
  /** Its path in the router, where `path` is not that. */
  pattern?: string;
  /** Buttons that open a dialog on it. */
  opens?: string[];
  /** In which looks it is shown in the README. */
  readme?: string[];
}

export const ROUTES: Route[] = [
  { name: 'login', path: '/login?problem=forbidden', heading: 'Sign in to Code Assistant', for: 'everybody' },
  { name: 'welcome', path: '/welcome', heading: 'Open your link once more', for: 'everybody' },
  { name: 'welcome-link', path: invitation, heading: /^Hello/, pattern: '/welcome', for: 'everybody' },
  { name: 'new-chat', path: '/', heading: /./, for: 'member' },
  {
    name: 'chat',
    path: newestChat,
    pattern: '/c/$conversationId',
    for: 'member',
    opens: ['Correct'],
    readme: ['light', 'dark'],
  },
  { name: 'models', path: '/models', heading: 'Models', for: 'member', readme: ['light'] },
  { name: 'prompts', path: '/prompts', heading: 'Prompts', for: 'member', opens: ['New prompt'] },
  {
    name: 'settings',
    path: '/settings',
    heading: 'Settings',
    for: 'member',
    opens: ['Create a key', 'Delete account…'],
  },
  {
    name: 'run',
    path: newestRun,
    pattern: '/models/runs/$runId',
    heading: /^Run of/,
    for: 'member',
  },
  {
    name: 'run-rows',
    path: async (page) => `${await newestRun(page)}/rows`,
    pattern: '/models/runs/$runId/rows',
    heading: 'Training rows',
    for: 'admin',
  },
  { name: 'admin', path: '/admin', heading: 'Admin', for: 'admin' },
  { name: 'admin-documents', path: '/admin/documents', heading: 'Documents', for: 'admin' },
  { name: 'admin-comparisons', path: '/admin/comparisons', heading: 'Comparisons', for: 'admin' },
  { name: 'admin-usage', path: '/admin/usage', heading: 'Usage', for: 'admin' },
  { name: 'admin-users', path: '/admin/users', heading: 'Users', for: 'admin', opens: ['Invite'] },
  { name: 'admin-audit', path: '/admin/audit', heading: 'Audit log', for: 'admin' },
];

async function invitation(page: Page): Promise<string> {
  return (await invite(page)).link;
}

/** The conversation that was spoken in last; one is taken in where there is none. */
async function newestChat(page: Page): Promise<string> {
  const response = await page.request.get('/api/conversations');
  const { items } = (await response.json()) as { items: { id: string }[] };
  const answer = 'Slices have a step:\n\n```python\ntext[::-1]\n```\n';
  const id = items[0]?.id ?? (await takeIn(page, [{ question: 'Reverse a string', answer }]));
  return `/c/${id}`;
}

/** The run that ended last. */
async function newestRun(page: Page): Promise<string> {
  const response = await page.request.get('/api/training/runs');
  const { items } = (await response.json()) as { items: { id: string; state: string }[] };
  return `/models/runs/${items.find(({ state }) => state !== 'running')?.id}`;
}

/** Goes to a page and waits until it shows what it has. */
export async function open(page: Page, { path, heading }: Route): Promise<void> {
  if (page.url() === 'about:blank') await page.goto('/');
  await page.goto(typeof path === 'string' ? path : await path(page));
  if (heading) await expect(page.getByRole('heading', { level: 1, name: heading })).toBeVisible();
  else await expect(page.getByTestId('answer').last()).toBeVisible();
  await settled(page);
}

/** Waits until everything has been fetched, skeletons have given way, and the code has its colours. */
export async function settled(page: Page): Promise<void> {
  await page.waitForLoadState('networkidle');
  await expect(page.getByText('Loading…')).toHaveCount(0);
  await expect(page.locator('[aria-busy=true]')).toHaveCount(0);
  await expect.poll(() => page.evaluate(colourless)).toBe(0);
  await page.evaluate(() => document.fonts.ready);
}

/** How many blocks of code have no colours yet. */
function colourless(): number {
  const bodies = Array.from(document.querySelectorAll('[data-streamdown=code-block-body]'));
  const colours = (body: Element) =>
    new Set(Array.from(body.querySelectorAll('span'), (span) => getComputedStyle(span).color));
  return bodies.filter((body) => colours(body).size < 2).length;
}

/** Opens the dialogs of a page, one after the other; `look` sees each. */
export async function eachDialog(
  page: Page,
  { opens = [] }: Route,
  look: (name: string) => Promise<void>,
): Promise<void> {
  for (const name of opens) {
    await page.getByRole('button', { name, exact: true }).last().click();
    await expect(page.getByRole('dialog').or(page.getByRole('alertdialog'))).toBeVisible();
    await look(name);
    await page.keyboard.press('Escape');
    await expect(page.getByRole('dialog').or(page.getByRole('alertdialog'))).toHaveCount(0);
  }
}
