/** Hands a file to the browser, which saves it under this name. */
export function saveFile(content: Blob, name: string): void {
  const url = URL.createObjectURL(content);
  const link = document.createElement('a');
  link.href = url;
  link.download = name;
  link.click();
  // The browser has read the address by the time the click is over, but may still be reading the content.
  setTimeout(() => URL.revokeObjectURL(url), 60_000);
}
