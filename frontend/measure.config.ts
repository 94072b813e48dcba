import { defineConfig } from '@playwright/test';
import tests from './playwright.config';

/** Measures the product at BASE_URL and prints what it finds. */
export default defineConfig({
  ...tests,
  testMatch: 'measure.ts',
  timeout: 900_000,
});
