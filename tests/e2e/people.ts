import type { Browser, Page } from '@playwright/test';
import { composer, expect } from './fixtures';

export const PASSWORD = 'staple battery horse';

export interface Person {
  id: string;
  email: string;
}

/** A browser in which nobody is signed in. */
export async function stranger(browser: Browser, baseURL: string | undefined): Promise<Page> {
  const context = await browser.newContext({ baseURL, storageState: { cookies: [], origins: [] } });
  return context.newPage();
}

let invited = 0;

/** Makes an account as the admin whose page it is; gives who it is for, and the link. */
export async function invite(page: Page): Promise<{ user: Person; link: string }> {
  invited += 1;
  const response = await page.request.post('/api/admin/users', {
    data: { email: `e2e-${Date.now()}-${invited}@example.org`, name: `Person ${invited}` },
    headers: { Origin: new URL(page.url()).origin },
  });
  expect(response.status(), await response.text()).toBe(201);
  const { user, link } = (await response.json()) as { user: Person; link: { url: string } };
  return { user, link: link.url };
}

export async function choosePassword(page: Page, link: string): Promise<void> {
  await page.goto(link);
  await page.getByLabel('Password', { exact: true }).fill(PASSWORD);
  await page.getByRole('button', { name: 'Save and sign in' }).click();
  await expect(composer(page)).toBeVisible();
}

export async function signIn(page: Page, email: string, password: string): Promise<void> {
  await page.getByLabel('E-mail').fill(email);
  await page.getByLabel('Password').fill(password);
  await page.getByRole('button', { name: 'Sign in' }).click();
}
