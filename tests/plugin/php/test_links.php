<?php
// The vectors that Python wrote: PHP finds the same letters.

require __DIR__ . '/harness.php';
require __DIR__ . '/piwigo.php';
foreach (array('Links', 'Wanted', 'Facts', 'Encodings') as $class) {
    require __DIR__ . "/../../../piwigo-plugin/pwgserve/include/$class.php";
}

use Pwgserve\Encodings;
use Pwgserve\Facts;
use Pwgserve\Links;
use Pwgserve\Wanted;

function vectors(): array
{
    return json_decode(file_get_contents(__DIR__ . '/../../vectors/links.json'), true, 32, JSON_THROW_ON_ERROR);
}

function links(array $vectors): Links
{
    return new Links(hex2bin($vectors['keys']['link_key']), hex2bin($vectors['keys']['mark_key']));
}

function test_tokens_are_the_same(): void
{
    $vectors = vectors();
    $links = links($vectors);
    foreach ($vectors['tokens'] as $one) {
        $audience = $one['user'] === null ? 'p' : "u{$one['user']}{$one['kind']}{$one['mark']}";
        $token = $links->token($one['photo'], $one['wanted'], $audience, $one['expiry'], $one['fingerprint']);
        same($one['token'], $token);
    }
}

function test_marks_are_the_same(): void
{
    $vectors = vectors();
    foreach ($vectors['marks'] as $one) {
        same($one['mark'], links($vectors)->mark($one['kind'], $one['secret']), $one['secret']);
        same("u5{$one['kind']}{$one['mark']}", links($vectors)->audience(5, $one['kind'], $one['secret']));
    }
    same('p', links($vectors)->audience(null));
}

function test_fingerprints_are_the_same(): void
{
    $vectors = vectors();
    foreach ($vectors['fingerprints'] as $one) {
        same($one['fingerprint'], links($vectors)->fingerprint($one['facts']), implode(',', $one['facts']));
    }
}

function test_expiries_are_the_same(): void
{
    foreach (vectors()['expiries'] as $one) {
        same($one['expiry'], Links::expiry($one['now'], $one['ttl']), "{$one['now']} {$one['ttl']}");
    }
}

function test_renderings_are_described_and_spelled_the_same(): void
{
    $vectors = vectors();
    $gallery = $vectors['gallery'];
    $types = array();
    foreach ($gallery['types'] as $code => $values) {
        $types[$code] = params("$code...", $values);
    }
    foreach ($vectors['facts'] as $one) {
        $watermark = (object) $gallery['watermark'];
        $watermark->file = $one['is_watermark_set'] ? $watermark->file : '';
        $facts = new Facts($types, $watermark, $gallery['quality'], $gallery['threshold'], $gallery['rules']);
        $source = array_values($gallery['source']);
        if ($one['code'] === null) {
            same($one['facts'], Facts::ofFile($one['wanted'], $source), $one['wanted']);
            continue;
        }
        $params = $one['code'] === 'cu' ? params('custom', $gallery['custom']) : $types[$one['code']];
        $isRepresentative = $one['part'] === 'r';
        $spelled = Wanted::derivative($params, $isRepresentative);
        same($one['wanted'], $one['encoding'] === null ? $spelled : "$spelled-{$one['encoding']}");
        $photo = $one['photo'];
        $mark = $facts->marks($params) ? array_values($gallery['watermark_source']) : null;
        $found = $facts->ofDerivative(
            $one['wanted'], $params, Facts::format(pathinfo($one['source'], PATHINFO_EXTENSION)), $isRepresentative, $photo['rotation'], $photo['coi'], $source, $mark
        );
        same($one['facts'], $found, $one['wanted']);
    }
}

function test_the_same_encodings_are_chosen(): void
{
    $vectors = vectors()['encodings'];
    holds(count($vectors['chosen']) > 100, 'enough cases');
    foreach ($vectors['chosen'] as $one) {
        $encodings = new Encodings($one['accept'], $vectors['offered'], $vectors['max_avif_pixels']);
        $chosen = $encodings->choose(Facts::format($one['extension']), $one['box']);
        same($one['encoding'], $chosen, "{$one['accept']} {$one['extension']}");
    }
}

function test_what_the_daemon_does_not_render_has_no_format(): void
{
    same('jpeg', Facts::format('JPG'));
    same(null, Facts::format('tif'));
}

run_tests();
