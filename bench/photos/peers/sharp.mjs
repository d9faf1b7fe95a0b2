// sharp's side: the same lines in, the same answers out as worker/photo/examples/bench.rs.
//
// `resize` is a cascade, each rendition from the raw pixels of the next larger one, which is sharp's fastest way to the same
// files; `resize-clone` is the way of its documentation, each rendition from the decoded photo.
import { createInterface } from 'node:readline';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import sharp from 'sharp';

sharp.concurrency(1);
sharp.cache(false);
sharp.simd(true);

const WIDTHS = [2048, 1080, 480, 160];
const JPEG = { quality: 80, chromaSubsampling: '4:2:0' };

async function cascade(content) {
  const files = {};
  let image = sharp(content).rotate();
  const { width } = await sharp(content).metadata();
  for (const target of WIDTHS.filter((wanted) => wanted <= width)) {
    const { data, info } = await image.resize(target).removeAlpha().raw().toBuffer({ resolveWithObject: true });
    const raw = { raw: { width: info.width, height: info.height, channels: info.channels } };
    files[target] = await sharp(data, raw).jpeg(JPEG).toBuffer();
    image = sharp(data, raw);
  }
  return files;
}

async function clone(content) {
  const files = {};
  const image = sharp(content).rotate();
  const { width } = await image.metadata();
  const wanted = WIDTHS.filter((target) => target <= width);
  const made = await Promise.all(wanted.map((target) => image.clone().resize(target).jpeg(JPEG).toBuffer()));
  wanted.forEach((target, index) => (files[target] = made[index]));
  return files;
}

const TASKS = { resize: cascade, 'resize-clone': clone };
for await (const line of createInterface({ input: process.stdin })) {
  const [task, times, photo, directory] = line.split('\t');
  const content = readFileSync(photo);
  const cpu = [];
  let files;
  for (let time = 0; time < Number(times); time += 1) {
    const begun = process.cpuUsage();
    files = await TASKS[task](content);
    const used = process.cpuUsage(begun);
    cpu.push((used.user + used.system) / 1000);
  }
  if (directory) {
    mkdirSync(directory, { recursive: true });
    for (const [width, data] of Object.entries(files)) writeFileSync(`${directory}/${width}.jpg`, data);
  }
  const peak = Number(/VmHWM:\s+(\d+)/.exec(readFileSync('/proc/self/status', 'utf8'))[1]);
  console.log(JSON.stringify({ cpu, peak, label: '' }));
}
