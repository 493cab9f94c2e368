// What the visitor chose: reading drops and folders, and telling at once what the server would refuse.

const ZIP = "application/zip";

/** The files of a drop or paste, folders walked: [{file, name}], the name with its folders ("day1/a.jpg"). */
export async function transferred(transfer) {
  // The entries have to be taken before the first wait: the browser empties the transfer when the event is over.
  const entries = [...transfer.items].filter((item) => item.kind === "file").map((item) => item.webkitGetAsEntry?.() ?? item.getAsFile());
  const found = [];
  for (const entry of entries) await walk(entry, found);
  return found;
}

async function walk(entry, found) {
  if (!entry) return;
  if (entry instanceof File) {
    found.push({ file: entry, name: entry.name });
  } else if (entry.isFile) {
    const file = await new Promise((resolve, reject) => entry.file(resolve, reject));
    found.push({ file, name: entry.fullPath.replace(/^\//, "") || file.name });
  } else {
    const reader = entry.createReader();
    // A reader gives a hundred entries at a time and an empty list at the end.
    for (let batch; (batch = await new Promise((resolve, reject) => reader.readEntries(resolve, reject))).length; ) {
      for (const each of batch) await walk(each, found);
    }
  }
}

/** The files of an `<input type=file>`, with their folders if it chose one. */
export function selected(input) {
  return [...input.files].map((file) => ({ file, name: file.webkitRelativePath || file.name }));
}

/** Files that a system leaves in every folder; nobody chose them. */
const isLitter = (name) => /(^|\/)(\.[^/]*|Thumbs\.db|desktop\.ini)$|(^|\/)__MACOSX\//i.test(name);

/**
 * Divide new files into those that the server will take and those that it would refuse, with the text's name of why.
 * @returns {Promise<{added: object[], rejected: {name: string, why: string, limit?: string}[]}>}
 */
export async function check(found, present, limits, accept) {
  const added = [];
  const rejected = [];
  const known = new Set(present.map(identity));
  let bytes = present.reduce((sum, { file }) => sum + file.size, 0);
  const wanted = found.filter(({ name }) => !isLitter(name));
  const types = await Promise.all(wanted.map(({ file }) => contentType(file)));
  for (const [index, { file, name }] of wanted.entries()) {
    const type = types[index];
    const zip = type === ZIP;
    let why = null;
    if (!file.size) why = "empty";
    else if (!zip && !accept.includes(type)) why = "not_image";
    else if (!zip && file.size > limits.file_bytes) why = "too_large";
    else if (known.has(identity({ file, name }))) why = "twice";
    else if (present.length + added.length >= limits.files) why = "too_many";
    else if (bytes + file.size > limits.job_bytes) why = "job_too_large";
    if (why) {
      rejected.push({ name, why });
    } else {
      known.add(identity({ file, name }));
      bytes += file.size;
      added.push({ file, name, zip, sent: 0, state: "chosen" });
    }
  }
  return { added, rejected };
}

const identity = ({ file, name }) => `${name}|${file.size}|${file.lastModified}`;

/** The type of a file by its first bytes, as the server sees it; null if it is none that Countermark knows. */
async function contentType(file) {
  const head = new Uint8Array(await file.slice(0, 16).arrayBuffer().catch(() => new ArrayBuffer(0)));
  const text = String.fromCharCode(...head);
  const brand = text.slice(8, 12);
  if (text.startsWith("\xff\xd8\xff")) return "image/jpeg";
  if (text.startsWith("\x89PNG\r\n")) return "image/png";
  if (text.startsWith("GIF8")) return "image/gif";
  if (text.startsWith("RIFF") && brand === "WEBP") return "image/webp";
  if (/^(II[*+]\0|MM\0[*+])/.test(text)) return "image/tiff";
  if (text.startsWith("BM")) return "image/bmp";
  if (text.slice(4, 8) === "ftyp") return /^avi[fs]/.test(brand) ? "image/avif" : /^(he[ivx]|mif1|msf1)/.test(brand) ? "image/heic" : null;
  if (text.startsWith("PK\x03\x04")) return ZIP;
  return null;
}
