import '@fontsource-variable/inter';
import '@fontsource-variable/jetbrains-mono';
import './styles.css';
import { StrictMode } from 'react';
import { createRoot } from 'react-dom/client';
import { configureClient, createQueryClient } from './api/client';
import { createApp } from './app/app';
import { fetchMarkdown } from './components/markdown/markdown';
import { watchTheme } from './features/theme/theme';
import { fetchDeferred, whenIdle } from './lib/deferred';

configureClient();
watchTheme();
const root = document.getElementById('root');
if (root) createRoot(root).render(<StrictMode>{createApp(createQueryClient())}</StrictMode>);
void fetchMarkdown();
whenIdle(() => void fetchDeferred());
