// From logits to a token: the rules of numgpt/generation/sampling.py, in its order, on Float64Arrays.

function distribution(logits, seen, rules) {
  const stages = [];
  let scores = Float64Array.from(logits);
  const stage = (name, next) => {
    scores = next;
    stages.push({ name, left: scores.reduce((n, z) => n + (z > -Infinity), 0) });
  };
  stage("repetition", penaliseRepetition(scores, seen, rules.repetition_penalty));
  if (rules.temperature === 0) {
    const best = scores.indexOf(scores.reduce((a, b) => Math.max(a, b)));
    stage(
      "temper",
      scores.map((z, i) => (i === best ? 0 : -Infinity)),
    );
    return { stages, probabilities: probabilitiesOf(scores) };
  }
  stage("temper", temper(scores, rules.temperature));
  stage("top_k", rules.top_k > 0 ? keepTopK(scores, rules.top_k) : scores);
  stage("top_p", keepTopP(scores, rules.top_p));
  stage("min_p", keepMinP(scores, rules.min_p));
  return { stages, probabilities: probabilitiesOf(scores) };
}

function penaliseRepetition(scores, seen, penalty) {
  const next = scores.slice();
  for (const id of seen) {
    const z = scores[id] > 0 ? scores[id] / penalty : scores[id] * penalty;
    next[id] = Math.min(Math.max(z, -Number.MAX_VALUE), Number.MAX_VALUE);
  }
  return next;
}

function temper(scores, temperature) {
  const largest = scores.reduce((a, b) => Math.max(a, b));
  return scores.map((z) => (z - largest) / temperature);
}

function keepTopK(scores, k) {
  if (k >= scores.length) return scores;
  const kth = scores.slice().sort()[scores.length - k];
  return scores.map((z) => (z >= kth ? z : -Infinity));
}

function keepTopP(scores, p) {
  if (p >= 1) return scores;
  const probabilities = probabilitiesOf(scores);
  const order = range(scores.length).filter((i) => scores[i] > -Infinity);
  order.sort((a, b) => probabilities[b] - probabilities[a] || a - b);
  const kept = new Float64Array(scores.length).fill(-Infinity);
  let reached = 0;
  for (const i of order) {
    kept[i] = scores[i];
    reached += probabilities[i];
    if (reached >= p) break;
  }
  return kept;
}

function keepMinP(scores, minP) {
  if (minP <= 0) return scores;
  const bound = scores.reduce((a, b) => Math.max(a, b)) + Math.log(minP);
  return scores.map((z) => (z >= bound ? z : -Infinity));
}

function probabilitiesOf(scores) {
  const largest = scores.reduce((a, b) => Math.max(a, b));
  const weights = scores.map((z) => Math.exp(z - largest));
  const total = weights.reduce((a, b) => a + b);
  return weights.map((w) => w / total);
}

// The first token at which the running sum of the probabilities exceeds u.
function draw(probabilities, u) {
  const total = probabilities.reduce((a, b) => a + b);
  let running = 0;
  for (let i = 0; i < probabilities.length; i += 1) {
    running += probabilities[i];
    if (running > u * total) return { token: i, from: running - probabilities[i], to: running };
  }
  return { token: probabilities.length - 1, from: 1, to: 1 };
}
