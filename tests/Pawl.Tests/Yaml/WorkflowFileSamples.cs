namespace Pawl.Tests.Yaml;

static class Samples
{
    /// <summary>Every key that a file can have, but child workflows, which need a file.</summary>
    public const string Everything = """
        # A remark
        name: everything
        version: 2
        description: "All of it"
        params:
          scope: { type: string, default: all, enum: [all, changed], description: What to do }
          count: 3
          token: { type: secret, env: PAWL_TEST_TOKEN, required: false }
        env: { GREETING: "hello ${{ params.scope }}" }
        defaults:
          shell: bash
          working_directory: .
          timeout: 10m
          env: { TOKEN: "${{ params.token }}" }
          retry: { attempts: 3, delay: 2s, backoff: 1.5, max_delay: 1m30s, jitter: false }
        concurrency: 2
        timeout: 2h
        on_failure: continue
        checkpointing:
          enabled: true
          strategy: marked
          durability: async
          retention: { days: 7, keep_last: 20 }
          auto_resume_on_failure: true
        budget: { cost_usd: 2.5, tokens: 200000, duration: 2h }
        prices: { some/model-1: { input: 0.25, output: 2 } }
        steps:
          - id: analyze
            name: Analyze it
            run: |
              echo "files=$(ls | wc -l)" >> "$PAWL_OUTPUT"
              echo 'list=["a","b"]' >> "$PAWL_OUTPUT"
          - id: docs
            needs: analyze
            if: ${{ params.scope == 'all' && steps.analyze.outputs.files > 10 }}
            sources: [ "docs/**", "*.md", "!docs/tmp" ]
            generates: build/docs
            run: make docs COUNT=${{ params.count }}
            output_limit: 64KiB
          - id: matrix
            needs: [analyze]
            matrix:
              os: [linux, windows]
              mode: ${{ fromJSON('["debug"]') }}
              include: [ { os: mac, extra: 1 } ]
              exclude:
                - os: windows
            max_parallel: 2
            continue_on_error: true
            retry: 2
            run: ./build.sh ${{ matrix.os }} ${{ matrix.mode }}
          - id: each
            foreach: ${{ fromJSON(steps.analyze.outputs.list) }}
            key: item
            needs: analyze
            steps:
              - id: inner
                git: changed
                run: echo ${{ item }} ${{ index }} ${{ steps.analyze.outcome }}
          - id: parts
            group:
              max_parallel: 2
              steps:
                - { id: left, run: "true" }
                - { id: right, needs: left, shell: sh, run: 'true' }
          - id: rest
            sleep: 500ms
          - id: pick
            choose:
              - when: params.count < 5
                steps: [ { id: small, run: echo small } ]
              - otherwise:
                  - id: big
                    run: echo big
          - id: publish
            after: pick
            if: always()
            checkpoint: true
            on_unknown: { probe: test -e done }
            working_directory: sub
            env: { WHERE: "${{ env.HOME }} ${{ run.id }} ${{ git.branch }} ${{ state.x }} ${{ partition.date }}" }
            run: ./publish.sh --print id >> "$PAWL_OUTPUT"
            compensate: ./unpublish.sh ${{ steps.publish.outputs.id }}
        """;
}
