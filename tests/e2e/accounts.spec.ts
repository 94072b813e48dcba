import type { Browser, Page } from '@playwright/test';
import { account, axeFindings, composer, expect, test } from './fixtures';

const PASSWORD = 'staple battery horse';

test.skip(() => account() === null, 'the server runs in local mode');
test.use({ reducedMotion: 'reduce' });

/** A browser in which nobody is signed in. */
async function stranger(browser: Browser, baseURL: string | undefined): Promise<Page> {
  const context = await browser.newContext({ baseURL, storageState: { cookies: [], origins: [] } });
  return context.newPage();
}

interface Person {
  id: string;
  email: string;
}

let invited = 0;

/** Makes an account as the admin whose page it is; gives who it is for, and the link. */
async function invite(page: Page): Promise<{ user: Person; link: string }> {
  invited += 1;
  const response = await page.request.post('/api/admin/users', {
    data: { email: `e2e-${Date.now()}-${invited}@example.org`, name: `Person ${invited}` },
    headers: { Origin: new URL(page.url()).origin },
  });
  expect(response.status(), await response.text()).toBe(201);
  const { user, link } = (await response.json()) as { user: Person; link: { url: string } };
  return { user, link: link.url };
}

async function choosePassword(page: Page, link: string): Promise<void> {
  await page.goto(link);
  await page.getByLabel('Password', { exact: true }).fill(PASSWORD);
  await page.getByRole('button', { name: 'Save and sign in' }).click();
  await expect(composer(page)).toBeVisible();
}

async function signIn(page: Page, email: string, password: string): Promise<void> {
  await page.getByLabel('E-mail').fill(email);
  await page.getByLabel('Password').fill(password);
  await page.getByRole('button', { name: 'Sign in' }).click();
}

/** As an admin: opens somebody's menu, chooses an action, and confirms it. */
async function act(page: Page, email: string, action: string): Promise<void> {
  await page.goto('/admin/users');
  await page.getByRole('searchbox', { name: 'Search users' }).fill(email);
  await page.getByRole('button', { name: `Actions for ${email}` }).click();
  await page.getByRole('menuitem', { name: action }).click();
  await page.getByRole('dialog').getByRole('button', { name: action }).click();
  await expect(page.getByRole('dialog')).toHaveCount(0);
}

test('somebody who is invited chooses a password, once, and is in', async ({ page, browser, baseURL }) => {
  const email = `invited-${Date.now()}@example.org`;
  await page.goto('/');
  await page.getByRole('button', { name: /^Account menu/ }).click();
  await page.getByRole('menuitem', { name: 'Users' }).click();
  await page.getByRole('button', { name: 'Invite', exact: true }).click();
  const dialog = page.getByRole('dialog');
  await dialog.getByLabel('E-mail').fill(email);
  await dialog.getByLabel('Name').fill('Grace');
  await dialog.getByRole('button', { name: 'Make the account' }).click();
  const link = await dialog.getByLabel('Link', { exact: true }).inputValue();
  await dialog.getByRole('button', { name: 'Done' }).click();
  await page.getByRole('searchbox', { name: 'Search users' }).fill(email);
  await expect(page.getByRole('row', { name: email })).toContainText('Invited');

  const guest = await stranger(browser, baseURL);
  await guest.goto(link);
  await expect(guest.getByRole('heading', { name: 'Hello Grace, choose a password' })).toBeVisible();
  expect(guest.url()).not.toContain('#');
  await guest.getByLabel('Password', { exact: true }).fill(PASSWORD);
  await guest.getByRole('button', { name: 'Save and sign in' }).click();
  await expect(guest.getByRole('button', { name: 'Account menu: Grace' })).toBeVisible();
  await guest.goto('/admin/users');
  await expect(guest.getByRole('heading', { name: 'This page is for administrators' })).toBeVisible();
  await guest.goto(link);
  await expect(guest.getByRole('heading', { name: 'This link does not work any more' })).toBeVisible();
  await guest.context().close();

  await page.goto('/admin/audit');
  await expect(page.getByRole('list', { name: 'Entries' })).toContainText(`made an account for ${email}`);
});

test('a new key opens the API until it is revoked', async ({ page, playwright, baseURL }) => {
  const name = `Key ${Date.now()}`;
  await page.goto('/settings');
  await page.getByRole('button', { name: 'Create a key' }).click();
  await page.getByRole('dialog').getByLabel('Name').fill(name);
  await page.getByRole('button', { name: 'Create the key' }).click();
  const key = await page.getByRole('dialog').getByLabel('Key', { exact: true }).inputValue();
  await expect(page.getByText(`curl ${baseURL}/v1/chat/completions`)).toBeVisible();
  const api = await playwright.request.newContext({
    baseURL,
    extraHTTPHeaders: { Authorization: `Bearer ${key}` },
  });
  expect((await api.get('/v1/models')).status()).toBe(200);
  await page.getByRole('button', { name: 'Done' }).click();
  await expect(page.getByText(key)).toHaveCount(0);
  await page.getByRole('button', { name: `Revoke ${name}` }).click();
  await page.getByRole('alertdialog').getByRole('button', { name: 'Revoke' }).click();
  await expect(page.getByText(name)).toHaveCount(0);
  expect((await api.get('/v1/models')).status()).toBe(401);
  await api.dispose();
});

test('who changes their password stays signed in, and nobody else does', async ({
  page,
  browser,
  baseURL,
}) => {
  await page.goto('/');
  const { user, link } = await invite(page);
  const here = await stranger(browser, baseURL);
  await choosePassword(here, link);
  const there = await stranger(browser, baseURL);
  await there.goto('/login');
  await signIn(there, user.email, PASSWORD);
  await expect(composer(there)).toBeVisible();

  await here.goto('/settings');
  await here.getByLabel('Present password').fill(PASSWORD);
  await here.getByLabel('New password').fill('another battery staple');
  await here.getByRole('button', { name: 'Change password' }).click();
  await expect(here.getByText('Your password was changed.')).toBeVisible();
  await here.reload();
  await expect(here.getByRole('heading', { name: 'Settings' })).toBeVisible();
  await there.reload();
  await expect(there).toHaveURL(/\/login/);
  await Promise.all([here.context().close(), there.context().close()]);
});

test('who is deactivated lands on the sign-in, and finds the draft again', async ({
  page,
  browser,
  baseURL,
}) => {
  await page.goto('/');
  const { user, link } = await invite(page);
  const guest = await stranger(browser, baseURL);
  await choosePassword(guest, link);
  await composer(guest).fill('half a thought');
  await act(page, user.email, 'Deactivate');
  await expect(page.getByRole('row', { name: user.email })).toContainText('Deactivated');
  // The page asks who is signed in every half minute.
  await expect(guest).toHaveURL(/\/login/, { timeout: 60_000 });
  await signIn(guest, user.email, PASSWORD);
  await expect(guest.getByRole('alert')).toContainText('do not match');
  await act(page, user.email, 'Activate');
  await signIn(guest, user.email, PASSWORD);
  await expect(composer(guest)).toHaveValue('half a thought');
  await guest.context().close();
});

test.describe('when the server refuses', () => {
  test.use({ allowedErrors: [/409 \(Conflict\)/] });

  test('the only admin stays one', async ({ page }) => {
    await page.goto('/admin/users');
    const email = account()?.email ?? '';
    await page.getByRole('button', { name: `Actions for ${email}` }).click();
    await page.getByRole('menuitem', { name: 'Make member' }).click();
    const dialog = page.getByRole('dialog');
    await dialog.getByRole('button', { name: 'Make member' }).click();
    await expect(dialog.getByRole('alert')).toContainText('This is the only admin');
    await dialog.getByRole('button', { name: 'Cancel' }).click();
    await expect(dialog).toHaveCount(0);
    await expect(page.getByRole('button', { name: `Actions for ${email}` })).toBeFocused();
  });
});

/** Every page, with what shows that it is there, and what opens the modal on it. */
const PAGES: { path: string; there: string; opens?: string }[] = [
  { path: '/login?problem=forbidden', there: 'Sign in to Code Assistant' },
  { path: '/welcome', there: 'Open your link once more' },
  { path: '/settings', there: 'Settings', opens: 'Create a key' },
  { path: '/settings', there: 'Settings', opens: 'Delete account…' },
  { path: '/admin/users', there: 'Users', opens: 'Invite' },
  { path: '/admin/audit', there: 'Audit log' },
];

async function visit(page: Page, look: () => Promise<void>): Promise<void> {
  for (const { path, there, opens } of PAGES) {
    await page.goto(path);
    await expect(page.getByRole('heading', { level: 1, name: there })).toBeVisible();
    await expect(page.getByText('Loading…')).toHaveCount(0);
    await look();
    if (!opens) continue;
    await page.getByRole('button', { name: opens, exact: true }).click();
    await expect(page.getByRole('dialog')).toBeVisible();
    await look();
  }
  const { link } = await invite(page);
  await page.goto(link);
  await expect(page.getByRole('heading', { name: /^Hello/ })).toBeVisible();
  await look();
}

for (const colorScheme of ['light', 'dark'] as const) {
  test(`axe finds nothing on any page of an account in the ${colorScheme} scheme`, async ({ page }) => {
    await page.emulateMedia({ colorScheme });
    await visit(page, async () => expect(await axeFindings(page)).toEqual([]));
  });
}

test.describe('on a phone', () => {
  test.use({ viewport: { width: 360, height: 740 }, hasTouch: true, isMobile: true });

  test('no page of an account scrolls sideways', async ({ page }) => {
    await visit(page, async () =>
      expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBe(360),
    );
  });
});
