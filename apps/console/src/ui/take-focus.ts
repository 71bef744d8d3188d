/** A `ref` for what appears where the focused thing was: the focus goes there instead of being lost. */
export function takeFocus(element: HTMLElement | null): void {
  element?.focus({ preventScroll: true });
}
