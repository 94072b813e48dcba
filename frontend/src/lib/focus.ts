/** As a `ref`: what appears takes the focus, once. */
export function focusOnce(element: HTMLElement | null): void {
  element?.focus();
}
