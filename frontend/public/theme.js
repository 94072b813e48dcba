// Runs before the first paint, as a file because the content security policy forbids inline scripts.
(() => {
  let choice = 'system';
  try {
    choice = localStorage.getItem('assistant.theme') ?? 'system';
  } catch {
    // Storage is blocked: follow the system.
  }
  const dark =
    choice === 'dark' || (choice !== 'light' && matchMedia('(prefers-color-scheme: dark)').matches);
  document.documentElement.classList.toggle('dark', dark);
})();
