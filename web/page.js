// What every page does: keep the chosen language for the next pages.

/** Remember a click on a language, so that pages without it in their address have it too. */
export function keepLanguage() {
  for (const link of document.querySelectorAll("[data-language]")) {
    link.addEventListener("click", () => {
      document.cookie = `language=${link.dataset.language}; path=/; max-age=31536000; samesite=lax`;
    });
  }
}

keepLanguage();
